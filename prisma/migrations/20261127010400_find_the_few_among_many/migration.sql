-- Finds the few among the many in lists with a filter: payments that have not completed, payments with one other tenant, and deliveries
-- that have failed. Of a million payments of which three have failed, a page of those read the million.
--
-- Nearly all payments complete, and nearly all deliveries are delivered: of those the partial indexes hold nothing, but for a payment that is
-- under way. What a filter without an index of its own leaves out, a page looks at so many of and no more.
--
-- Not safe under load where there are many payments: the indexes hold up their changes while they are built, about a second per million.
-- Build them beforehand with `concurrently` under the same names where that is too long; they are then found and kept.
set local role holdfast_owner;

create index if not exists payments_tenant_id_status_id_idx on payments.payments (tenant_id, status, id) where status <> 'completed';
create index if not exists payments_tenant_id_counterparty_id_id_idx on payments.payments (tenant_id, counterparty_id, id);
create index if not exists deliveries_tenant_id_failed_idx on webhooks.deliveries (tenant_id, endpoint_id, created_at, id) where status = 'failed';

-- A counterparty is a tenant, and no more counted than any other: see 20261127010000_plan_alike_for_all_tenants. Where all payments that were
-- counted were with one, the planner takes the index without counterparties to be as good for another.
alter table payments.payments alter column counterparty_id set statistics 0;
do $$
begin
  if to_regprocedure('pg_catalog.pg_clear_attribute_stats(text, text, text, boolean)') is not null then
    perform pg_clear_attribute_stats('payments', 'payments', 'counterparty_id', false);
  end if;
end $$;
