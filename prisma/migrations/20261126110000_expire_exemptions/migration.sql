-- Exemptions from the doctor's rules can end, and statements that are meant to see every tenant are named.
--
-- An exception that somebody meant to remove is forgotten unless it removes itself: from `expires_at` on the doctor finds
-- the object again. Null is for what holds by design. Safe under load: the column has no default, so no row is written;
-- the doctor of the release before reads rule and object only.
set local role holdfast_owner;

alter table tenancy.exemptions add column expires_at timestamptz;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (16, 'tenants.tenants_slug_key', 'a tenant learns from it that a slug is taken, which signing up has to say anyway', 'tenants'),
  (18, 'tenants.list_tenants', 'the operator''s list of all tenants, in the one role that reads them all', 'tenants'),
  (18, 'events.list_lagging_tenants', 'the relay asks which tenants lag, in a role that reads cursors and the log only', 'events'),
  (18, 'events.thin_ticks', 'the relay asks whether any tenant''s cursor stands on a tick', 'events');
