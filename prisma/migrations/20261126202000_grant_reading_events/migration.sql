-- Gives `events:read` to those who are admins or auditors already: what a role holds is copied into auth.memberships when the
-- role is given, and a role of ours that gains a permission has to reach those copies.
--
-- Who holds everything that an admin, or an auditor, held before is one, or has a role of the tenant's own that may do as
-- much; both may read the audit trail, which shows more than events do. (The rows of members, which say it exactly, cannot be read across
-- tenants.) Owners hold `*`. Grants that processes have cached go on without it for up to five minutes. Safe under load: one
-- short update of the rows it is about.
set local role holdfast_owner;

update auth.memberships
set scopes = scopes || '{events:read}'
where not scopes && '{*,events:read}'
  and (
    scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read', 'issuers:write',
      'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write', 'ledger:read', 'ledger:write',
      'audit:read', 'telemetry:read']
    or scopes @> array['tenant:read', 'members:read', 'issuers:read', 'keys:read', 'support:read', 'ledger:read', 'audit:read',
      'telemetry:read']
  );
