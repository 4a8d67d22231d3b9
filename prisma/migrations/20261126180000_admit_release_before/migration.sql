-- Lets processes of the release before start beside this schema: their doctor knows nothing of what today's migrations grant,
-- nor of the settings that `holdfast migrate` gives to roles for poolers, and would not serve. A pod that Kubernetes moves in the middle of an update is such a process.
--
-- Only where an earlier release is in use, so a fresh installation exempts nothing; and for 30 days, after which the doctor
-- of this release looks at these objects as at all others. Safe under load: inserts a few rows.
set local role holdfast_owner;

insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'tenancy', clock_timestamp() + interval '30 days'
from unnest(array[
  'auth.end_membership', 'auth.open_support_access', 'auth.own_tenant', 'auth.owners_of_keys', 'auth.rotate_credential',
  'auth.set_memberships', 'auth.set_tenant', 'auth.store_membership', 'auth.tenant_named', 'auth.tenants', 'auth.tenants_of',
  'identity.credential_addresses', 'identity.credential_uses', 'identity.invitations', 'identity.issuers', 'identity.members',
  'identity.roles', 'identity.support_accesses',
  'tenancy.act', 'tenancy.begin_import', 'tenancy.count_rows', 'tenancy.erase_page', 'tenancy.export_page',
  'tenancy.export_tables', 'tenancy.finish_import', 'tenancy.grant_principal', 'tenancy.import_page', 'tenancy.not_exported',
  'tenancy.settings', 'tenancy.store_receipt', 'tenancy.tenant_tables', 'tenancy.verified_principal',
  'tenants', 'tenants.erasure_receipts', 'tenants.export_chunks', 'tenants.exports', 'tenants.tasks']
  || array(
    select role || ' ' || setting
    from unnest(array['holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_ops', 'holdfast_sealer']) role
    cross join unnest(array['TimeZone', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) setting)
  ) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
