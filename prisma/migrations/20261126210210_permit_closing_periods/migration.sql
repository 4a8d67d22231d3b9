-- Gives `ledger:close` to those who are admins already: what a role holds is copied into auth.memberships when the role is given,
-- and a role of ours that gains a permission has to reach those copies; see 20261126202000_grant_reading_events.
--
-- Who holds everything that an admin held before is one, or has a role of the tenant's own that may do as much. Owners hold
-- `*`. Safe under load: one short update of the rows it is about.
set local role holdfast_owner;

update auth.memberships
set scopes = scopes || '{ledger:close}'
where not scopes && '{*,ledger:close}'
  and scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read',
    'issuers:write', 'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write', 'ledger:read',
    'ledger:write', 'audit:read', 'events:read', 'webhooks:read', 'webhooks:write', 'telemetry:read'];
