import { statement } from '@holdfast/database';

/** What of a row does not hold: by which rule, and what would hold. */
export interface FoundBreak {
  readonly rule: string;
  readonly rowId: string;
  readonly expected: string;
}

// Each check is one statement, and a statement sees one snapshot. A posting is one transaction, so a snapshot has all of it or
// nothing: a check is right whatever is posted meanwhile. $2 are ids of rows; more than 100 breaks among them are not told.
//
// Plans are made once, often over empty tables, and of indexes that then seem to cost the same any may be taken. So rows are
// looked up by id without a word on refusals, which only the primary key serves, and by version in the order of versions.
//
// That an account is the fold of its transfers needs no fold: every entry is its predecessor and what its kind adds, the
// first begins at zero, none is missing, and the account is its last entry. Each of these looks at two rows.

/** Versions, instants and totals of both legs, each beside the entry before it; accounts, assets and limits. */
export const CHECK_LEGS = statement<FoundBreak>(
  'ledger.check_legs',
  `select v.rule, t.id::text as "rowId", v.expected
   from unnest($2::uuid[]) i (id)
   join lateral (
     select t.id, t.kind, t.target_id, t.refusal, t.amount, t.asset, t.booked_at, t.effective_date, t.terms, t.debit_account_id, t.credit_account_id, t.debit_version,
       t.credit_version, t.debit_account_debits, t.debit_account_credits, t.credit_account_debits, t.credit_account_credits,
       coalesce(t.debit_account_held_debits, 0) as debit_account_held_debits,
       coalesce(t.debit_account_held_credits, 0) as debit_account_held_credits,
       coalesce(t.credit_account_held_debits, 0) as credit_account_held_debits,
       coalesce(t.credit_account_held_credits, 0) as credit_account_held_credits
     from ledger.transfers t
     where t.tenant_id = $1 and t.id = i.id
     limit 1) t on t.refusal is null
   left join lateral (
     select h.amount from ledger.transfers h
     where h.tenant_id = $1 and h.id = t.target_id and t.kind in ('post', 'void', 'expiry')
     limit 1) hold on true
   cross join lateral (
     select case when t.kind in ('transfer', 'post', 'reversal') then t.amount else 0 end as posted,
       case when t.kind in ('transfer', 'reversal') then 0 when t.kind = 'hold' then t.amount else - hold.amount end as held) adds
   cross join lateral (values
     (t.debit_account_id, t.debit_version, t.debit_account_debits, t.debit_account_credits, t.debit_account_held_debits,
       t.debit_account_held_credits, adds.posted, 0, adds.held, 0),
     (t.credit_account_id, t.credit_version, t.credit_account_debits, t.credit_account_credits, t.credit_account_held_debits,
       t.credit_account_held_credits, 0, adds.posted, 0, adds.held))
     leg (account_id, version, debits, credits, held_debits, held_credits, adds_debits, adds_credits, adds_held_debits,
       adds_held_credits)
   left join lateral (
     select a.asset, a.limit_rule from ledger.accounts a where a.tenant_id = $1 and a.id = leg.account_id limit 1) a on true
   cross join lateral (
     select count(*) as entries, coalesce(min(e.debits), 0) as debits, coalesce(min(e.credits), 0) as credits,
       coalesce(min(e.held_debits), 0) as held_debits, coalesce(min(e.held_credits), 0) as held_credits,
       max(e.booked_at) as booked_at
     from (
       (select d.debit_account_debits as debits, d.debit_account_credits as credits, d.debit_account_held_debits as held_debits,
          d.debit_account_held_credits as held_credits, d.booked_at
        from ledger.transfers d
        where d.tenant_id = $1 and d.debit_account_id = leg.account_id and d.debit_version >= leg.version - 1
          and d.debit_version < leg.version and d.refusal is null
        order by d.debit_version
        limit 2)
       union all
       (select c.credit_account_debits, c.credit_account_credits, c.credit_account_held_debits, c.credit_account_held_credits,
          c.booked_at
        from ledger.transfers c
        where c.tenant_id = $1 and c.credit_account_id = leg.account_id and c.credit_version >= leg.version - 1
          and c.credit_version < leg.version and c.refusal is null
        order by c.credit_version
        limit 2)) e) before
   cross join lateral (select before.entries = least(leg.version - 1, 1) as has_one) follows
   cross join lateral (values
     ('account', a.asset is null, format('that the tenant has the account %s', leg.account_id)),
     ('asset', a.asset <> t.asset, format('the asset %s, which account %s is of', a.asset, leg.account_id)),
     ('effective_date', t.effective_date <> coalesce((t.terms->>'effective_date')::date, (t.booked_at at time zone 'utc')::date),
       format('the day %s', coalesce(t.terms->>'effective_date', (t.booked_at at time zone 'utc')::date::text))),
     ('version', not follows.has_one, format('one entry of account %s with version %s before it, and not %s', leg.account_id,
       leg.version - 1, before.entries)),
     ('booked_at', before.booked_at > t.booked_at, format('to be booked at %s or later, as version %s of account %s is',
       before.booked_at, leg.version - 1, leg.account_id)),
     ('posted', follows.has_one and (leg.debits - before.debits <> leg.adds_debits
         or leg.credits - before.credits <> leg.adds_credits),
       format('posted debits %s and credits %s on account %s', before.debits::numeric + leg.adds_debits,
         before.credits::numeric + leg.adds_credits, leg.account_id)),
     ('pending', follows.has_one and (leg.held_debits - before.held_debits <> leg.adds_held_debits
         or leg.held_credits - before.held_credits <> leg.adds_held_credits),
       format('pending debits %s and credits %s on account %s', before.held_debits::numeric + leg.adds_held_debits,
         before.held_credits::numeric + leg.adds_held_credits, leg.account_id)),
     ('limit', case a.limit_rule
         when 'debits_must_not_exceed_credits' then leg.held_debits > leg.credits - leg.debits
         when 'credits_must_not_exceed_debits' then leg.held_credits > leg.debits - leg.credits
       end, format('that %s on account %s, pending ones included', replace(a.limit_rule, '_', ' '), leg.account_id)))
     v (rule, is_broken, expected)
   where v.is_broken
   limit 100`,
);

/** What posts, voids, expiries and reversals follow, that each is followed once, and that open holds with a time wait for it. */
export const CHECK_TARGETS = statement<FoundBreak>(
  'ledger.check_targets',
  `select v.rule, t.id::text as "rowId", v.expected
   from unnest($2::uuid[]) i (id)
   join lateral (
     select t.id, t.kind, t.target_id, t.refusal, t.amount, t.booked_at, t.debit_account_id, t.credit_account_id, t.expires_at,
       t.kind in ('post', 'void', 'expiry') as ends_hold
     from ledger.transfers t
     where t.tenant_id = $1 and t.id = i.id
     limit 1) t on t.refusal is null
   left join lateral (
     select x.kind, x.refusal, x.amount, x.debit_account_id, x.credit_account_id, x.expires_at
     from ledger.transfers x
     where x.tenant_id = $1 and x.id = t.target_id
     limit 1) x on x.refusal is null
   cross join lateral (
     select count(*) as followers from ledger.transfers f
     where f.tenant_id = $1 and f.target_id = coalesce(t.target_id, t.id) and f.refusal is null) f
   left join lateral (
     select o.expires_at from ledger.timeouts o where o.tenant_id = $1 and o.hold_id = t.id and t.kind = 'hold' limit 1) o on true
   cross join lateral (values
     ('target', t.target_id is not null and not coalesce(
         case when t.ends_hold then x.kind = 'hold' else x.kind in ('transfer', 'post') end, false),
       format('that %s is %s', t.target_id, case when t.ends_hold then 'a hold' else 'a transfer, or the post of a hold' end)),
     ('target_accounts', case when t.ends_hold
           then (t.debit_account_id, t.credit_account_id) <> (x.debit_account_id, x.credit_account_id)
           else (t.debit_account_id, t.credit_account_id) <> (x.credit_account_id, x.debit_account_id)
         end, format('the accounts of %s', t.target_id)),
     ('target_once', f.followers > 1, format('that one thing follows %s, and not %s', coalesce(t.target_id, t.id), f.followers)),
     ('target_amount', case when t.kind = 'post' then t.amount > x.amount else t.amount <> x.amount end,
       format('the amount %s of %s, or of a post less', x.amount, t.target_id)),
     ('target_time', case
         when t.kind = 'expiry' then coalesce(t.booked_at < x.expires_at, true)
         when t.ends_hold then t.booked_at >= x.expires_at
       end, format('to be booked %s %s', case t.kind when 'expiry' then 'at or after' else 'before' end, x.expires_at)),
     ('timeout', t.kind = 'hold'
         and o.expires_at is distinct from case when f.followers = 0 then t.expires_at end,
       case when f.followers = 0 and t.expires_at is not null then format('a timeout at %s', t.expires_at)
         else 'no timeout, since it has ended or has none' end))
     v (rule, is_broken, expected)
   where v.is_broken
   limit 100`,
);

/**
 * The event of each transfer, at its place in its stream; and none of a refused one. Where the retention of the audit log removes
 * events, an earlier one of a stream may be gone that has a later one: then audit verify says whether that is right.
 */
export const CHECK_EVENTS = statement<FoundBreak>(
  'ledger.check_events',
  `select v.rule, t.id::text as "rowId", v.expected
   from unnest($2::uuid[]) i (id)
   cross join lateral (
     select t.id, t.kind, t.target_id, t.refusal, t.amount, t.debit_account_id, t.credit_account_id, t.debit_version,
       t.credit_version, t.asset, to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at, coalesce(t.target_id, t.id) as stream_id,
       case when t.kind in ('transfer', 'reversal') then 'ledger.transfer' else 'ledger.hold' end as stream_type,
       case t.kind
         when 'transfer' then 'ledger.transfer.posted'
         when 'hold' then 'ledger.hold.placed'
         when 'post' then 'ledger.hold.posted'
         when 'void' then 'ledger.hold.voided'
         when 'expiry' then 'ledger.hold.expired'
         else 'ledger.transfer.reversed'
       end as type
     from ledger.transfers t
     where t.tenant_id = $1 and t.id = i.id
     limit 1) t
   left join lateral (
     select x.kind from ledger.transfers x where x.tenant_id = $1 and x.id = t.target_id limit 1) x on true
   left join lateral (
     select e.type, e.data from events.log e
     where e.tenant_id = $1 and e.stream_type = t.stream_type and e.stream_id = t.stream_id and t.refusal is null
       and e.stream_version = case when t.target_id is null or x.kind = 'post' then 1 else 2 end
     limit 1) e on true
   cross join lateral (
     select count(*) as events from events.log r
     where r.tenant_id = $1 and r.stream_type in ('ledger.transfer', 'ledger.hold') and r.stream_id = t.id
       and t.refusal is not null) r
   cross join lateral (values
     ('event', t.refusal is null and not (e.type is null and exists (
           select from events.log n
           where n.tenant_id = $1 and n.stream_type = t.stream_type and n.stream_id = t.stream_id) and exists (
           select from events.log p
           where p.tenant_id = $1 and p.stream_type = 'audit.log' and p.type = 'audit.log.pruned' and p.actor = 'system:pruner'))
         and (e.type is distinct from t.type
         or (e.data->>'debitAccountId', e.data->>'creditAccountId', e.data->>'amount', e.data->>'debitVersion',
             e.data->>'creditVersion', e.data->>'asset', e.data->>'bookedAt', coalesce(e.data->>'transferId', t.id::text))
           is distinct from (t.debit_account_id::text, t.credit_account_id::text, t.amount::text, t.debit_version::text,
             t.credit_version::text, t.asset, t.booked_at, t.id::text)),
       format('one event %s in the stream of %s, of what was booked', t.type, t.stream_id)),
     ('event_of_refused', r.events > 0, format('no event, since it was refused, and not %s', r.events)))
     v (rule, is_broken, expected)
   where v.is_broken
   limit 100`,
);
