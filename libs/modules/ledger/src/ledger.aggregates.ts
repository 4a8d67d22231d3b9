import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow, factsOnly, type FoldContext } from '@holdfast/tenancy';
import { accountChanged, accountClosed, accountOpened, accountReopened } from './ledger.events';
import { holdExpired, holdPlaced, holdPosted, holdVoided } from './ledger.events';
import { periodClosed, periodReopened, transferPosted, transferReversed } from './ledger.events';

/** What `ledger.post_items` writes of everything that takes effect. */
interface Booked {
  readonly debitAccountId: string;
  readonly creditAccountId: string;
  readonly asset: string;
  readonly amount: string;
  readonly debitVersion: string;
  readonly creditVersion: string;
  readonly bookedAt: string;
}

/** What took back a transfer, or ended a hold. */
interface Follower {
  readonly id: string;
  readonly amount: string;
  readonly debitVersion: string;
  readonly creditVersion: string;
  readonly bookedAt: string;
}

const bookedOf = (booked: Booked): Booked => ({
  debitAccountId: booked.debitAccountId,
  creditAccountId: booked.creditAccountId,
  asset: booked.asset,
  amount: booked.amount,
  debitVersion: booked.debitVersion,
  creditVersion: booked.creditVersion,
  bookedAt: booked.bookedAt,
});

const followerOf = (booked: Booked & { readonly transferId: string }): Follower => ({
  id: booked.transferId,
  amount: booked.amount,
  debitVersion: booked.debitVersion,
  creditVersion: booked.creditVersion,
  bookedAt: booked.bookedAt,
});

interface Transfer extends Booked {
  readonly effectiveDate: string;
  readonly reversal: Follower | null;
}

const dayOf = (instant: string): string => instant.slice(0, 10);

// What was posted of a hold stands in the hold's stream, and has one of its own only for its reversal.
aggregate<Transfer>('ledger.transfer', {
  rows: statement<AggregateRow<Transfer>>(
    'ledger.list_folded_transfers',
    `select t.id, (case t.kind when 'transfer' then 1 else 0 end + case when r.id is null then 0 else 1 end)::bigint
         as "streamVersion",
       t.debit_account_id as "debitAccountId", t.credit_account_id as "creditAccountId", t.asset, t.amount::text as amount,
       t.debit_version::text as "debitVersion", t.credit_version::text as "creditVersion",
       to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "bookedAt",
       t.effective_date::text as "effectiveDate",
       case when r.id is not null then jsonb_build_object('id', r.id, 'amount', r.amount::text,
         'debitVersion', r.debit_version::text, 'creditVersion', r.credit_version::text,
         'bookedAt', to_char(r.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) end as reversal
     from ledger.transfers t
     left join ledger.transfers r
       on r.tenant_id = $1 and r.target_id = t.id and r.refusal is null and r.kind = 'reversal'
     where t.tenant_id = $1 and t.id > $2 and t.refusal is null
       and (t.kind = 'transfer' or (t.kind = 'post' and r.id is not null))
     order by t.id
     limit $3`,
  ),
  on: (on) => [
    on(transferPosted, (posted) => ({
      ...bookedOf(posted),
      effectiveDate: posted.effectiveDate ?? dayOf(posted.bookedAt),
      reversal: null,
    })),
    on(transferReversed, (reversed) => ({ reversal: followerOf(reversed) })),
  ],
});

interface Hold extends Booked {
  readonly expiresAt: string | null;
  readonly status: 'pending' | 'posted' | 'voided' | 'expired';
  readonly end: Follower | null;
}

aggregate<Hold>('ledger.hold', {
  rows: statement<AggregateRow<Hold>>(
    'ledger.list_folded_holds',
    `select h.id, case when e.id is null then 1 else 2 end::bigint as "streamVersion",
       h.debit_account_id as "debitAccountId", h.credit_account_id as "creditAccountId", h.asset, h.amount::text as amount,
       h.debit_version::text as "debitVersion", h.credit_version::text as "creditVersion",
       to_char(h.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "bookedAt",
       to_char(h.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "expiresAt",
       case e.kind when 'post' then 'posted' when 'void' then 'voided' when 'expiry' then 'expired' else 'pending' end as status,
       case when e.id is not null then jsonb_build_object('id', e.id, 'amount', e.amount::text,
         'debitVersion', e.debit_version::text, 'creditVersion', e.credit_version::text,
         'bookedAt', to_char(e.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) end as end
     from ledger.transfers h
     left join ledger.transfers e
       on e.tenant_id = $1 and e.target_id = h.id and e.refusal is null and e.kind in ('post', 'void', 'expiry')
     where h.tenant_id = $1 and h.id > $2 and h.refusal is null and h.kind = 'hold'
     order by h.id
     limit $3`,
  ),
  on: (on) => [
    on(holdPlaced, (placed) => ({
      ...bookedOf(placed),
      expiresAt: placed.expiresAt ?? null,
      status: 'pending',
      end: null,
    })),
    on(holdPosted, (posted) => ({ status: 'posted', end: followerOf(posted) })),
    on(holdVoided, (voided) => ({ status: 'voided', end: followerOf(voided) })),
    on(holdExpired, (expired) => ({ status: 'expired', end: followerOf(expired) })),
  ],
});

interface Account {
  readonly asset: string;
  readonly normalBalance: string;
  readonly limit: string;
  readonly isClosed: boolean;
  readonly postedDebits: string;
  readonly postedCredits: string;
  readonly pendingDebits: string;
  readonly pendingCredits: string;
  /** Counts its entries. */
  readonly version: string;
  readonly lastBookedAt: string | null;
}

const sum = (total: string | undefined, amount: bigint): string => String(BigInt(total ?? 0) + amount);
const legs = ({ debitAccountId, creditAccountId }: Booked): readonly string[] => [
  debitAccountId,
  creditAccountId,
];

/** An entry on an account: what it adds to what is posted and to what is held, on the account's side of it. */
function entry(
  booked: Booked,
  { id, state }: FoldContext<Account>,
  { posted = 0n, held = 0n }: { readonly posted?: bigint; readonly held?: bigint },
): Partial<Account> {
  const isDebit = id === booked.debitAccountId;
  const version = BigInt(isDebit ? booked.debitVersion : booked.creditVersion);
  const known = BigInt(state.version ?? 0);
  const { lastBookedAt = null } = state;
  return {
    ...(isDebit
      ? { postedDebits: sum(state.postedDebits, posted), pendingDebits: sum(state.pendingDebits, held) }
      : { postedCredits: sum(state.postedCredits, posted), pendingCredits: sum(state.pendingCredits, held) }),
    // Events of several streams come in any order.
    version: String(version > known ? version : known),
    lastBookedAt: lastBookedAt !== null && lastBookedAt > booked.bookedAt ? lastBookedAt : booked.bookedAt,
  };
}

/** What the hold of the stream holds, by the event that placed it; 0 where that event is not there. */
const heldBy = ({ source }: FoldContext<Account>): bigint => BigInt((source as Partial<Hold>).amount ?? 0);

aggregate<Account>('ledger.account', {
  rows: statement<AggregateRow<Account>>(
    'ledger.list_folded_accounts',
    `select id, revision as "streamVersion", asset, normal_balance as "normalBalance", limit_rule as "limit",
       closed_at is not null as "isClosed", posted_debits::text as "postedDebits", posted_credits::text as "postedCredits",
       pending_debits::text as "pendingDebits", pending_credits::text as "pendingCredits", version::text as version,
       case when last_booked_at > '-infinity'
         then to_char(last_booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end as "lastBookedAt"
     from ledger.accounts
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  eventsElsewhere: statement<{ readonly streamType: string; readonly streamId: string }>(
    'ledger.list_streams_of_account',
    `select distinct case when o.kind in ('transfer', 'reversal') then 'ledger.transfer' else 'ledger.hold' end as "streamType",
       coalesce(o.target_id, o.id) as "streamId"
     from (
       (select d.kind, d.id, d.target_id from ledger.transfers d
        where d.tenant_id = $1 and d.debit_account_id = $2 and d.refusal is null
        order by d.debit_version
        limit $3)
       union all
       (select c.kind, c.id, c.target_id from ledger.transfers c
        where c.tenant_id = $1 and c.credit_account_id = $2 and c.refusal is null
        order by c.credit_version
        limit $3)) o
     limit $3`,
  ),
  on: (on) => [
    on(accountOpened, ({ asset, normalBalance, limit }, { state }) => ({
      asset,
      normalBalance,
      limit,
      isClosed: false,
      postedDebits: state.postedDebits ?? '0',
      postedCredits: state.postedCredits ?? '0',
      pendingDebits: state.pendingDebits ?? '0',
      pendingCredits: state.pendingCredits ?? '0',
      version: state.version ?? '0',
      lastBookedAt: state.lastBookedAt ?? null,
    })),
    on(accountClosed, () => ({ isClosed: true })),
    on(accountReopened, () => ({ isClosed: false })),
    on(accountChanged, () => ({})),
    on.elsewhere(transferPosted, legs, (posted, context) =>
      entry(posted, context, { posted: BigInt(posted.amount) }),
    ),
    on.elsewhere(transferReversed, legs, (reversed, context) =>
      entry(reversed, context, { posted: BigInt(reversed.amount) }),
    ),
    on.elsewhere(holdPlaced, legs, (placed, context) =>
      entry(placed, context, { held: BigInt(placed.amount) }),
    ),
    on.elsewhere(holdPosted, legs, (posted, context) =>
      entry(posted, context, { posted: BigInt(posted.amount), held: -heldBy(context) }),
    ),
    on.elsewhere(holdVoided, legs, (voided, context) =>
      entry(voided, context, { held: -BigInt(voided.amount) }),
    ),
    on.elsewhere(holdExpired, legs, (expired, context) =>
      entry(expired, context, { held: -BigInt(expired.amount) }),
    ),
  ],
});

interface Period {
  readonly closedThrough: string | null;
}

aggregate<Period>('ledger.period', {
  isTenantItself: true,
  rows: statement<AggregateRow<Period>>(
    'ledger.list_folded_periods',
    `select tenant_id as id, null::bigint as "streamVersion", closed_through::text as "closedThrough"
     from ledger.books
     where tenant_id = $1 and tenant_id > $2 and revision > 1
     order by tenant_id
     limit $3`,
  ),
  on: (on) => [on(periodClosed, (closed) => closed), on(periodReopened, (reopened) => reopened)],
});

factsOnly('ledger.control', 'says what the controls have found broken, and mends nothing');
