-- Lets workers see which tenants have holds whose time is over. They walk from tenant to tenant, and ask each for its oldest
-- row, so that a tenant with a hundred thousand of them keeps no other waiting; hence the index by tenant.
--
-- Safe under load: holds with a time wait for the index, a second per million of them.
set local role holdfast_owner;

create index timeouts_tenant_id_expires_at_idx on ledger.timeouts (tenant_id, expires_at);
drop index ledger.timeouts_expires_at_idx;

-- What `tenancy.protect` gives its readers.
create policy holdfast_relay_reads on ledger.timeouts as permissive for select to holdfast_relay using (true);
grant usage on schema ledger to holdfast_relay;
grant select (tenant_id, expires_at) on ledger.timeouts to holdfast_relay;
grant execute on function ledger.clock() to holdfast_relay;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'ledger.list_tenants_with_timeouts', 'workers ask which tenants have holds that end, in a role that sees nothing of what is held', 'ledger');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before does not list it, and may start again during the update', 'ledger',
  clock_timestamp() + interval '30 days'
from unnest(array['ledger', 'ledger.timeouts', 'ledger.clock']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
