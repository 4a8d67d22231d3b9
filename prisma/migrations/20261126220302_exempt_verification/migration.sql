-- Two statements of the worker look over all tenants, in the role of the relay: who has no task of verification yet, and how many
-- findings there are.
--
-- Safe under load: inserts two rows.
set local role holdfast_owner;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'audit.count_breaks', 'counts findings of all tenants for an alert, in a role that may read nothing else of them', 'audit'),
  (18, 'audit.list_unverified_tenants', 'looks in the role of the relay which tenants have no task of verification', 'audit');
