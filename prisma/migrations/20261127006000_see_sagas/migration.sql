-- Lets tenants and operators see sagas. Operators list the open ones of all tenants and see where each stands; what a saga began with
-- and what its steps have answered they do not. Workers count which are stuck.
--
-- Safe under load: creates a function, a policy and grants, and makes one pass over a table of a row per member; a change of a member
-- waits for its end.
set local role holdfast_owner;

-- Whether somebody has to look at a saga: it waits for an operator, is open beyond its deadline, or has been due for five minutes
-- without anybody at work on it, which is five times the longest wait between attempts and three leases. One
-- that has ended is not.
create function sagas.is_stuck(state text, deadline_at timestamptz, due_at timestamptz, lease_until timestamptz) returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp
return state = 'needs_operator' or state in ('running', 'compensating')
  and (deadline_at <= clock_timestamp() or greatest(due_at, lease_until) <= clock_timestamp() - interval '5 minutes');
revoke execute on function sagas.is_stuck(text, timestamptz, timestamptz, timestamptz) from public;
grant execute on function sagas.is_stuck(text, timestamptz, timestamptz, timestamptz) to holdfast_app, holdfast_relay, holdfast_ops;

-- As tenancy.protect makes them where holdfast_ops is among the readers.
alter policy tenant_isolation on sagas.sagas to holdfast_app, holdfast_owner;
alter policy tenant_access on sagas.sagas to holdfast_app, holdfast_owner;
create policy holdfast_ops_reads on sagas.sagas as permissive for select to holdfast_ops using (true);
grant usage on schema sagas to holdfast_ops;
grant select (tenant_id, id, name, hash, state, backward, place, reason, last_error, attempts, cancel_requested, due_at, lease_until,
  deadline_at, awaits_type, started_by, started_at, ended_at) on sagas.sagas to holdfast_ops;
grant select (deadline_at) on sagas.sagas to holdfast_relay;

-- `sagas:read` for those who are admins or auditors already and `sagas:write` for admins; see 20261126210210_permit_closing_periods.
update auth.memberships m
set scopes = m.scopes || array(
  select wanted.scope from unnest(array['sagas:read', 'sagas:write']) wanted (scope) where wanted.scope <> all (m.scopes))
where not m.scopes && '{*}'
  and m.scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read',
    'issuers:write', 'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write', 'ledger:read',
    'ledger:write', 'ledger:close', 'audit:read', 'audit:write', 'personal:read', 'personal:write', 'events:read', 'webhooks:read',
    'webhooks:write', 'telemetry:read', 'telemetry:write'];

update auth.memberships m
set scopes = m.scopes || '{sagas:read}'
where not m.scopes && '{*,sagas:read}'
  and m.scopes @> array['tenant:read', 'members:read', 'issuers:read', 'keys:read', 'support:read', 'ledger:read', 'audit:read',
    'events:read', 'webhooks:read', 'telemetry:read'];

insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'sagas.list_operated', 'the operator''s list of open sagas, in the one role that reads them all', 'sagas');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 28 November 2026 does not list it, and may start again during the update',
  'sagas', clock_timestamp() + interval '30 days'
from unnest(array['sagas', 'sagas.sagas', 'sagas.is_stuck']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
