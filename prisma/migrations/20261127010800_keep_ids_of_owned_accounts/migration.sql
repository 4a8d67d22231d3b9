-- Keeps ids that follow from something (UUIDv8) from accounts that nobody owns. A part of the system finds its account by such an id: a
-- statement injected into a request of the tenant could else open it first, without an owner, and have what is held on it given back
-- by the tenant itself, behind the bank that has paid.
--
-- Safe under load: replaces a function and a trigger, for which postings wait milliseconds. Neither this release nor the one before opens an account
-- of a tenant's own under such an id.
set local role holdfast_owner;

create or replace function ledger.keep_owned() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    if new.owner is null or 'system:' || new.owner <> tenancy.actor() then
      raise exception 'only % opens accounts that it owns', coalesce(new.owner, 'their owner') using errcode = 'HF003';
    end if;
  elsif (new.closed_at, new.metadata) is distinct from (old.closed_at, old.metadata) then
    raise exception 'an account that % owns is not changed', old.owner using errcode = 'HF003';
  end if;
  return new;
end $$;

create or replace trigger owned_insert before insert on ledger.accounts for each row
  when ((new.owner is not null or substr(new.id::text, 15, 1) = '8') and current_user = 'holdfast_app')
  execute function ledger.keep_owned();
