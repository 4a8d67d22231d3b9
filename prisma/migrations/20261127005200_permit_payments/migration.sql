-- Gives `payments:read` to whoever sees what everybody does, and `payments:write` to whoever may do what a member does: what a role
-- holds is copied into auth.memberships when the role is given, and a role of ours that gains a permission has to reach those copies;
-- see 20261126202000_grant_reading_events. Owners hold `*`.
--
-- Safe under load: two short updates of the rows they are about.
set local role holdfast_owner;

update auth.memberships
set scopes = scopes || '{payments:read}'
where not scopes && '{*,payments:read}' and scopes @> array['tenant:read', 'ledger:read', 'telemetry:read'];

update auth.memberships
set scopes = scopes || '{payments:write}'
where not scopes && '{*,payments:write}' and scopes @> array['tenant:read', 'ledger:read', 'ledger:write', 'telemetry:read'];
