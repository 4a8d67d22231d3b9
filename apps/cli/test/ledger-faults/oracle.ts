import type { TestDatabase } from '@holdfast/testing';
import type { Effect, Entry } from './ledger-client';

/** What the journal says against what is there, and the books against themselves. All are zero when all is well. */
export interface Verdict {
  /** Acknowledged transfers that are not there, or with another amount than was asked for. */
  readonly lost: number;
  /** Transfers that took effect and that nobody was told of: refused ones among them. */
  readonly undead: number;
  /** What a 503 said was not changed and what is there all the same. */
  readonly changed: number;
  /** Assets of a tenant whose debits and credits differ, posted or pending. */
  readonly unbalanced: number;
  /** Accounts whose totals or versions are not what their transfers amount to. */
  readonly misfolded: number;
  /** Entries that left their account beyond its limit. */
  readonly exceeded: number;
  /** Transfers without their one event, and events without their transfer. */
  readonly unannounced: number;
}

const SOUND: Verdict = {
  lost: 0,
  undead: 0,
  changed: 0,
  unbalanced: 0,
  misfolded: 0,
  exceeded: 0,
  unannounced: 0,
};

const VERDICT = `
  with
  effective as (
    select tenant_id, id, kind, target_id, debit_account_id, credit_account_id, amount, debit_version, credit_version,
      debit_account_debits + coalesce(debit_account_held_debits, 0) > debit_account_credits as passes_credits,
      credit_account_credits + coalesce(credit_account_held_credits, 0) > credit_account_debits as passes_debits,
      terms ? 'balancing' as is_balancing
    from ledger.transfers
    where tenant_id = any ($1::uuid[]) and refusal is null),
  told as (select id, amount from unnest($2::uuid[], $3::bigint[]) t (id, amount)),
  legs as (
    -- What an entry adds to the posted and the pending totals of each side. What ends a hold gives all of it back.
    select e.tenant_id, l.account_id, l.version, l.is_debit,
      case when e.kind in ('transfer', 'post', 'reversal') then e.amount else 0 end as posted,
      case e.kind when 'hold' then e.amount when 'transfer' then 0 when 'reversal' then 0 else -h.amount end as pending
    from effective e
    left join effective h on h.tenant_id = e.tenant_id and h.id = e.target_id
    cross join lateral (values (e.debit_account_id, e.debit_version, true), (e.credit_account_id, e.credit_version, false))
      l (account_id, version, is_debit)),
  folds as (
    select tenant_id, account_id, count(*) as entries, max(version) as version, count(distinct version) as versions,
      coalesce(sum(posted) filter (where is_debit), 0) as debits,
      coalesce(sum(posted) filter (where not is_debit), 0) as credits,
      coalesce(sum(pending) filter (where is_debit), 0) as held_debits,
      coalesce(sum(pending) filter (where not is_debit), 0) as held_credits
    from legs group by tenant_id, account_id),
  accounts as (
    select id, tenant_id, asset, version, limit_rule, posted_debits, posted_credits, pending_debits, pending_credits
    from ledger.accounts where tenant_id = any ($1::uuid[])),
  announced as (
    select tenant_id, coalesce((data->>'transferId')::uuid, stream_id) as id, min(type) as type, count(*) as times
    from events.log
    where tenant_id = any ($1::uuid[]) and (type like 'ledger.transfer.%' or type like 'ledger.hold.%')
    group by 1, 2)
  select
    (select count(*) from told t left join effective e on e.id = t.id
     where e.id is null or (e.amount <> t.amount and not coalesce(e.is_balancing, false)))::int as lost,
    (select count(*) from effective e where not exists (select from told t where t.id = e.id))::int as undead,
    (select count(*) from ledger.transfers t where t.tenant_id = any ($1::uuid[]) and t.id = any ($4::uuid[]))::int as changed,
    (select count(*) from (
       select from accounts group by tenant_id, asset
       having sum(posted_debits) <> sum(posted_credits) or sum(pending_debits) <> sum(pending_credits)) a)::int as unbalanced,
    (select count(*) from accounts a left join folds f on f.tenant_id = a.tenant_id and f.account_id = a.id
     where (a.version, a.version, a.version, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits)
       is distinct from (coalesce(f.entries, 0), coalesce(f.version, 0), coalesce(f.versions, 0), coalesce(f.debits, 0),
         coalesce(f.credits, 0), coalesce(f.held_debits, 0), coalesce(f.held_credits, 0)))::int as misfolded,
    (select count(*) from effective e join accounts a on a.id in (e.debit_account_id, e.credit_account_id)
     where (a.limit_rule = 'debits_must_not_exceed_credits' and a.id = e.debit_account_id and e.passes_credits)
       or (a.limit_rule = 'credits_must_not_exceed_debits' and a.id = e.credit_account_id and e.passes_debits))::int as exceeded,
    (select count(*) from effective e full join announced n on n.tenant_id = e.tenant_id and n.id = e.id
     where e.id is null or n.id is null or n.times <> 1 or n.type <> case e.kind
       when 'transfer' then 'ledger.transfer.posted' when 'reversal' then 'ledger.transfer.reversed'
       when 'hold' then 'ledger.hold.placed' when 'post' then 'ledger.hold.posted' when 'void' then 'ledger.hold.voided'
       else 'ledger.hold.expired' end)::int as unannounced`;

/** Compares the journal, all of whose outcomes are known, with the database. Throws where anything is the matter. */
export async function expectSound(
  database: Pick<TestDatabase, 'admin'>,
  tenantIds: readonly string[],
  journal: readonly Entry[],
): Promise<void> {
  const effects = journal.flatMap((entry) => entry.effects);
  const having = (outcome: Effect['outcome']): Effect[] =>
    effects.filter((effect) => effect.outcome === outcome);
  expect(having('unknown')).toEqual([]);
  const ok = distinct(having('ok'));
  const sent = new Set(effects.filter(({ outcome }) => outcome !== 'unchanged').map(({ id }) => id));
  const unchanged = having('unchanged').flatMap(({ id }) => (id === undefined || sent.has(id) ? [] : [id]));
  const [verdict] = await database.admin<Verdict>(VERDICT, [
    tenantIds,
    ok.map(({ id }) => id),
    ok.map(({ amount }) => amount ?? null),
    unchanged,
  ]);
  expect(verdict).toEqual(SOUND);
}

/** Several requests may have asked for the same effect, by one id or one key: it is one. */
function distinct(effects: readonly Effect[]): readonly Effect[] {
  return [...new Map(effects.map((effect) => [effect.id, effect])).values()];
}
