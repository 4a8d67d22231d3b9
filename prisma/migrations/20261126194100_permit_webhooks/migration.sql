-- Gives `webhooks:read` to those who are admins and auditors already, and `webhooks:write` to admins: what a member may do is
-- stored with the membership. Who holds everything that a role held before has that role, or one that means the same.
--
-- Safe under load: one pass over a table of a row per member; a change of a member waits for its end.
set local role holdfast_owner;

update auth.memberships m
set scopes = m.scopes || array(
  select wanted.scope from unnest(array['webhooks:read', 'webhooks:write']) wanted (scope) where wanted.scope <> all (m.scopes))
where m.scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read',
    'issuers:write', 'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write',
    'ledger:read', 'ledger:write', 'audit:read', 'telemetry:read']
  and not m.scopes @> array['webhooks:read', 'webhooks:write'];

update auth.memberships m
set scopes = m.scopes || array['webhooks:read']
where m.scopes @> array['tenant:read', 'members:read', 'issuers:read', 'keys:read', 'support:read', 'ledger:read', 'audit:read',
    'telemetry:read']
  and not m.scopes && array['*', 'webhooks:read'];
