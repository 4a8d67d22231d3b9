-- The end of a tenant: after a time of grace every row of it is deleted, from every table that the catalogue names, and a
-- signed receipt is left.
--
-- The functions below have the rights of the owner, to whom the policies apply as well: each sees, and deletes, the rows of
-- the transaction's own tenant. They act for the eraser only, and only on a tenant that is being erased, in which nobody
-- else is given a grant any more. Safe under load: adds nullable columns, and creates.
set local role holdfast_owner;

alter table tenants.tenants
  add column erase_requested_at timestamptz,
  add column erase_after timestamptz,
  -- Why the erasure has been put off, for the operator.
  add column erase_postponed text check (length(erase_postponed) between 1 and 500);

-- What is left of a tenant beside its state. Keyed by another name than tenant_id: these rows are the operator's, and the
-- erasure that writes one deletes whatever carries that column.
create table tenants.erasure_receipts (
  erased_id uuid primary key,
  erased_at timestamptz not null default clock_timestamp(),
  -- A JWS in compact form, and the public key (JWK) that verifies it.
  receipt text not null,
  verified_by jsonb not null
);
grant select on tenants.erasure_receipts to holdfast_ops;

-- The tenant that the transaction may erase.
create function tenancy.erasing_tenant() returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
begin
  if tenancy.actor() <> 'system:eraser'
     or not exists (select from auth.tenants t where t.id = tenant and t.state = 'erasing') then
    raise exception 'only the eraser does this, in a tenant that is being erased' using errcode = 'HF003';
  end if;
  return tenant;
end $$;

-- Deletes up to rows_max rows of one table and answers which and how many; no row when nothing is left but the task that
-- the erasure is. Tables that refer to others come first. Done again after a crash, it goes on with what is there.
create function tenancy.erase_page(rows_max int) returns table (relation text, row_count bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.erasing_tenant();
  target regclass;
begin
  delete from tenants.tasks t where t.tenant_id = tenant and t.kind <> 'erasure'; -- A handful: no exports are made any more.
  for target in
    select t.relation from tenancy.tenant_tables() t
    where t.relation <> 'tenants.tasks'::regclass
    order by t.depth desc, t.relation::text
  loop
    execute format(
      'delete from %1$s t where t.ctid = any (array(select x.ctid from %1$s x where x.tenant_id = $1 limit $2))', target)
      using tenant, rows_max;
    get diagnostics row_count = row_count;
    if row_count > 0 then
      relation := target::text;
      return next;
      return;
    end if;
  end loop;
end $$;

-- How many rows of the tenant every table has, the task included.
create function tenancy.count_rows() returns table (relation text, row_count bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.erasing_tenant();
  target regclass;
begin
  for target in select t.relation from tenancy.tenant_tables() t order by t.relation::text loop
    relation := target::text;
    execute format('select count(*) from %s t where t.tenant_id = $1', target) into row_count using tenant;
    return next;
  end loop;
end $$;

-- Leaves the receipt; refuses while there is a row left.
create function tenancy.store_receipt(receipt text, verified_by jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.erasing_tenant();
begin
  if exists (select from tenancy.count_rows() c where c.row_count > 0) then
    raise exception 'there are rows of the tenant left' using errcode = 'HF021';
  end if;
  insert into tenants.erasure_receipts (erased_id, receipt, verified_by) values (tenant, $1, $2);
end $$;
grant execute on function tenancy.erase_page(int), tenancy.count_rows(), tenancy.store_receipt(text, jsonb) to holdfast_app;
