-- Keys of the vault change while an erasure is under way, and only as it changes them: a value is as gone under a key that was
-- overwritten as without it. A wrapped key that is no key can still be written in that time; nothing here can open one to see.
--
-- Right under concurrency: as in guard_the_vault. Safe under load: replaces a trigger, and looks up one row for each key that is wrapped anew.
set local role holdfast_owner;

create function audit.require_rewrap() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_user = 'holdfast_app' then
    if not exists (select from audit.subject_erasures e where e.tenant_id = new.tenant_id and e.status = 'erasing') then
      raise exception 'keys of the vault change with an erasure only' using errcode = 'HF032';
    end if;
    if tg_table_name = 'subject_keys' then
      if old.wrapped is null or new.key_id = old.key_id or new.subject <> old.subject
        or not exists (select from audit.vaults v where v.tenant_id = new.tenant_id and v.key_id = new.key_id) then
        raise exception 'a subject''s key is wrapped anew by the tenant''s present key only' using errcode = 'HF032';
      end if;
    end if;
  end if;
  return new;
end $$;
revoke execute on function audit.require_rewrap() from public;

create trigger require_rewrap before update on audit.subject_keys for each row when (new.wrapped is not null)
  execute function audit.require_rewrap();
create trigger require_rewrap before update on audit.vaults for each row execute function audit.require_rewrap();
