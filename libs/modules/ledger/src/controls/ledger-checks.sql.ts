import { statement } from '@holdfast/database';
import type { FoundBreak } from './transfer-checks.sql';

// One statement each and so one snapshot each, as those of transfers.

/** Each account beside its last entry. */
export const CHECK_ACCOUNTS = statement<FoundBreak>(
  'ledger.check_accounts',
  `select v.rule, a.id::text as "rowId", v.expected
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select a.id, a.version, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.last_booked_at,
       a.limit_rule
     from ledger.accounts a
     where a.tenant_id = $1 and a.id = i.id
     limit 1) a
   cross join lateral (
     select count(*) filter (where e.version = a.version) as entries, count(*) filter (where e.version > a.version) as beyond,
       coalesce(min(e.debits) filter (where e.version = a.version), 0) as debits,
       coalesce(min(e.credits) filter (where e.version = a.version), 0) as credits,
       coalesce(min(e.held_debits) filter (where e.version = a.version), 0) as held_debits,
       coalesce(min(e.held_credits) filter (where e.version = a.version), 0) as held_credits,
       coalesce(min(e.booked_at) filter (where e.version = a.version), '-infinity') as booked_at
     from (
       (select d.debit_version as version, d.debit_account_debits as debits, d.debit_account_credits as credits,
          d.debit_account_held_debits as held_debits, d.debit_account_held_credits as held_credits, d.booked_at
        from ledger.transfers d
        where d.tenant_id = $1 and d.debit_account_id = a.id and d.debit_version >= a.version and d.refusal is null
        order by d.debit_version
        limit 2)
       union all
       (select c.credit_version, c.credit_account_debits, c.credit_account_credits, c.credit_account_held_debits,
          c.credit_account_held_credits, c.booked_at
        from ledger.transfers c
        where c.tenant_id = $1 and c.credit_account_id = a.id and c.credit_version >= a.version and c.refusal is null
        order by c.credit_version
        limit 2)) e) last
   cross join lateral (values
     ('version', last.entries <> least(a.version, 1) or last.beyond > 0,
       format('one entry with version %s and none beyond, and not %s and %s', a.version, last.entries, last.beyond)),
     ('posted', (a.posted_debits, a.posted_credits) <> (last.debits, last.credits),
       format('posted debits %s and credits %s, as version %s left them', last.debits, last.credits, a.version)),
     ('pending', (a.pending_debits, a.pending_credits) <> (last.held_debits, last.held_credits),
       format('pending debits %s and credits %s, as version %s left them', last.held_debits, last.held_credits, a.version)),
     ('booked_at', a.last_booked_at <> last.booked_at, format('to be booked last at %s', last.booked_at)),
     ('limit', case a.limit_rule
         when 'debits_must_not_exceed_credits' then a.pending_debits > a.posted_credits - a.posted_debits
         when 'credits_must_not_exceed_debits' then a.pending_credits > a.posted_debits - a.posted_credits
       end, format('that %s, pending ones included', replace(a.limit_rule, '_', ' '))))
     v (rule, is_broken, expected)
   where v.is_broken
   limit 100`,
);

/** Each timeout beside its hold, which is open and ends then. */
export const CHECK_TIMEOUTS = statement<FoundBreak>(
  'ledger.check_timeouts',
  `select 'timeout' as rule, o.hold_id::text as "rowId", 'an open hold that ends at ' || o.expires_at as expected
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select o.hold_id, o.expires_at from ledger.timeouts o where o.tenant_id = $1 and o.hold_id = i.id limit 1) o
   left join lateral (
     select h.kind, h.refusal, h.expires_at from ledger.transfers h
     where h.tenant_id = $1 and h.id = o.hold_id
     limit 1) h on h.refusal is null
   left join lateral (
     select f.kind from ledger.transfers f
     where f.tenant_id = $1 and f.target_id = o.hold_id and f.refusal is null
     limit 1) f on true
   where h.kind is distinct from 'hold' or f.kind is not null or h.expires_at is distinct from o.expires_at
   limit 100`,
);

/** Each event of a transfer or hold beside the transfer that it tells of. Whether it tells the truth, CHECK_EVENTS says. */
export const CHECK_LOGGED = statement<FoundBreak>(
  'ledger.check_logged',
  `select 'transfer' as rule, e.id::text as "rowId", format('a transfer %s of which %s is version %s of %s', e.transfer_id, e.type,
     e.stream_version, e.stream_id) as expected
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select e.id, e.type, e.stream_type, e.stream_id, e.stream_version, coalesce(e.data->>'transferId', e.stream_id::text) as transfer_id
     from events.log e
     where e.tenant_id = $1 and e.id = i.id
     limit 1) e
   left join lateral (
     select t.kind, coalesce(t.target_id, t.id) as stream_id, t.target_id, t.refusal
     from ledger.transfers t
     where t.tenant_id = $1 and t.id = case when e.transfer_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then e.transfer_id::uuid end
     limit 1) t on t.refusal is null
   left join lateral (
     select x.kind from ledger.transfers x where x.tenant_id = $1 and x.id = t.target_id limit 1) x on true
   where e.stream_type in ('ledger.transfer', 'ledger.hold') and (
     t.kind is distinct from case e.type
       when 'ledger.transfer.posted' then 'transfer'
       when 'ledger.hold.placed' then 'hold'
       when 'ledger.hold.posted' then 'post'
       when 'ledger.hold.voided' then 'void'
       when 'ledger.hold.expired' then 'expiry'
       when 'ledger.transfer.reversed' then 'reversal'
       else ''
     end
     or t.stream_id <> e.stream_id
     or e.stream_version <> case when t.target_id is null or x.kind = 'post' then 1 else 2 end)
   limit 100`,
);

/** Each idempotency key beside what came of its request, which every repetition is answered with. */
export const CHECK_KEYS = statement<FoundBreak>(
  'ledger.check_keys',
  `select 'key' as rule, k.idempotency_key::text as "rowId", format('a transfer %s, refused or not', k.transfer_id) as expected
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select k.idempotency_key, k.transfer_id from ledger.keys k where k.tenant_id = $1 and k.idempotency_key = i.id limit 1) k
   left join lateral (
     select t.id from ledger.transfers t where t.tenant_id = $1 and t.id = k.transfer_id limit 1) t on true
   where t.id is null
   limit 100`,
);

/** Debits and credits of each asset, posted and pending. All accounts at once: a million take half a second. */
export const CHECK_SUMS = statement<FoundBreak>(
  'ledger.check_sums',
  `select 'sum' as rule, s.asset as "rowId", format('debits equal to credits; they are %s and %s posted, %s and %s pending',
     s.posted_debits, s.posted_credits, s.pending_debits, s.pending_credits) as expected
   from (
     select a.asset, sum(a.posted_debits) as posted_debits, sum(a.posted_credits) as posted_credits,
       sum(a.pending_debits) as pending_debits, sum(a.pending_credits) as pending_credits
     from ledger.accounts a
     where a.tenant_id = $1
     group by a.asset) s
   where (s.posted_debits, s.pending_debits) <> (s.posted_credits, s.pending_credits)
   limit 100`,
);

/**
 * Has the rest of the transaction look rows up by their keys, one after the other, whatever the statistics say: plans are made
 * once, often over empty tables, where reading all of one for each row of a page seems cheap.
 */
export const LOOK_UP = statement(
  'ledger.look_up',
  `select set_config(s.name, 'off', true)
   from unnest('{enable_seqscan,enable_bitmapscan,enable_hashjoin,enable_mergejoin,enable_material,enable_sort}'::text[]) s (name)`,
);

/** A row of a page; `isLater`: it came after the run had begun, whose end would otherwise run away from it. */
export interface Listed {
  readonly id: string;
  readonly isLater: boolean;
}

export const LIST_TRANSFERS = statement<Listed>(
  'ledger.list_transfers_to_verify',
  `select t.id, coalesce(t.booked_at >= $3::timestamptz, false) as "isLater"
   from ledger.transfers t
   where t.tenant_id = $1 and t.id > $2
   order by t.id
   limit $4`,
);
export const LIST_ACCOUNTS = statement<Listed>(
  'ledger.list_accounts_to_verify',
  `select a.id, a.opened_at >= $3::timestamptz as "isLater"
   from ledger.accounts a
   where a.tenant_id = $1 and a.id > $2
   order by a.id
   limit $4`,
);
export const LIST_TIMEOUTS = statement<Listed>(
  'ledger.list_timeouts_to_verify',
  `select o.hold_id as id, $3::timestamptz is null as "isLater"
   from ledger.timeouts o
   where o.tenant_id = $1 and o.hold_id > $2
   order by o.hold_id
   limit $4`,
);
export const LIST_KEYS = statement<Listed>(
  'ledger.list_keys_to_verify',
  `select k.idempotency_key as id, k.attempted_at >= $3::timestamptz as "isLater"
   from ledger.keys k
   where k.tenant_id = $1 and k.idempotency_key > $2
   order by k.idempotency_key
   limit $4`,
);
/** Of all streams, those of the ledger and others: what a page reads is bounded by its limit. */
export const LIST_LOGGED = statement<Listed>(
  'ledger.list_events_to_verify',
  `select e.id, e.occurred_at >= $3::timestamptz as "isLater"
   from events.log e
   where e.tenant_id = $1 and e.id > $2
   order by e.id
   limit $4`,
);

/** The time of the ledger. Text, which keeps microseconds. */
export const FIND_NOW = statement<{ now: string }>('ledger.find_now', 'select ledger.clock()::text as now');

/** A transfer in the order of booking. The instant is text, which keeps microseconds. */
export interface Booked {
  readonly id: string;
  readonly bookedAt: string;
  readonly targetId: string | null;
  readonly debitAccountId: string;
  readonly creditAccountId: string;
}

export const LIST_BOOKED = statement<Booked>(
  'ledger.list_booked_to_verify',
  `select t.id, t.booked_at::text as "bookedAt", t.target_id as "targetId", t.debit_account_id as "debitAccountId",
     t.credit_account_id as "creditAccountId"
   from ledger.transfers t
   where t.tenant_id = $1 and t.refusal is null and t.booked_at >= $2::timestamptz and (t.booked_at, t.id) > ($2::timestamptz, $3::uuid)
     and t.booked_at < $4::timestamptz
   order by t.booked_at, t.id
   limit $5`,
);
