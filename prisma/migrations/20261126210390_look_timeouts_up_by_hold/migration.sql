-- Makes the primary key of ledger.timeouts the newest of its indexes again. Of indexes that cost the same, as all do while a
-- table is nearly empty, PostgreSQL takes the newest, and sessions keep the plan: with the one by time, which 20261126210300
-- created, each hold that ends walked all timeouts of its tenant.
--
-- Safe under load: holds with a time wait for the index, a second per million of them.
set local role holdfast_owner;

alter table ledger.timeouts drop constraint timeouts_pkey, add constraint timeouts_pkey primary key (tenant_id, hold_id);
