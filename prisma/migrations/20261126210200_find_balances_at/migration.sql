-- Finds what an account's totals were at an instant, without walking its entries and without another index.
--
-- Safe under load: two new functions and nothing else.
set local role holdfast_owner;

-- The version that an account had just before an instant: of its entries, the last that was booked before, and 0 where none
-- was. Null for an account that the tenant does not have.
--
-- Versions count the entries without a gap, and the time of booking never goes back from one to the next, so that halving the
-- versions finds the entry by twenty look-ups where there are a million, each in the unique index of one leg or the other.
-- Entries are never changed, so what it answers stands for ever, but for instants so young that transactions of then have not
-- committed yet: an entry is booked when its accounts are locked, which is milliseconds before it can be seen. Stable: all
-- look-ups see the snapshot of the statement that calls it, the account's last version included.
--
-- Plans live as long as their session and are often made over empty tables, hence the settings: see ledger.post_items.
create function ledger.version_before(account uuid, instant timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  tenant constant uuid := tenancy.tenant_id();
  earlier bigint; -- The last version that is known to be booked before the instant.
  later bigint; -- The first that is known not to be, or the one that there is not yet.
  middle bigint;
  middle_at timestamptz;
begin
  select case when a.last_booked_at < instant then a.version else 0 end, a.version + 1 into earlier, later
  from ledger.accounts a
  where a.tenant_id = tenant and a.id = account;
  while earlier + 1 < later loop
    middle := earlier + (later - earlier) / 2;
    select l.booked_at into middle_at
    from (
      select t.booked_at from ledger.transfers t
      where t.tenant_id = tenant and t.debit_account_id = account and t.debit_version = middle and t.refusal is null
      union all
      select t.booked_at from ledger.transfers t
      where t.tenant_id = tenant and t.credit_account_id = account and t.credit_version = middle and t.refusal is null) l
    limit 1;
    if middle_at < instant then
      earlier := middle;
    else
      later := middle;
    end if;
  end loop;
  return earlier;
end $$;

-- The totals that an account had at a version: those that the entry left, and zeros at version 0. No row for a version that
-- there is not, and none for an account that the tenant does not have.
create function ledger.balances_at(account uuid, account_version bigint)
returns table (posted_debits bigint, posted_credits bigint, pending_debits bigint, pending_credits bigint)
language plpgsql stable rows 1 set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
  tenant constant uuid := tenancy.tenant_id();
begin
  return query
  select t.debit_account_debits, t.debit_account_credits, coalesce(t.debit_account_held_debits, 0),
    coalesce(t.debit_account_held_credits, 0)
  from ledger.transfers t
  where t.tenant_id = tenant and t.debit_account_id = account and t.debit_version = account_version and t.refusal is null
  union all
  select t.credit_account_debits, t.credit_account_credits, coalesce(t.credit_account_held_debits, 0),
    coalesce(t.credit_account_held_credits, 0)
  from ledger.transfers t
  where t.tenant_id = tenant and t.credit_account_id = account and t.credit_version = account_version and t.refusal is null
  union all
  select 0, 0, 0, 0
  where account_version = 0;
end $$;
grant execute on function ledger.version_before(uuid, timestamptz), ledger.balances_at(uuid, bigint) to holdfast_app;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before does not list it, and may start again during the update', 'ledger',
  clock_timestamp() + interval '30 days'
from unnest(array['ledger.balances_at', 'ledger.version_before']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
