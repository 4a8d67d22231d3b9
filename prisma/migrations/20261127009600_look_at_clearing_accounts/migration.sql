-- Lets workers go from tenant to tenant that has clearing accounts, to hold each against what payments have booked on it: two accounts of
-- a pair that are wrong by the same amount add up.
--
-- Safe under load: one row.
set local role holdfast_owner;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'payments.list_clearing_tenants', 'workers go from tenant to tenant, in a role that sees no ledger', 'payments');
