-- What the vault keeps goes by an erasure that was ordered and announced, and never under a legal hold: whatever text is run as
-- the application. The tenant's own erasure runs as the owner, behind a look for holds.
--
-- Right under concurrency: an order and a hold exclude each other by the lock of audit.retention, so that while an erasure is
-- under way no hold comes to keep its subject. Safe under load: an index look-up for each subject's key and each value that goes.
set local role holdfast_owner;

create function audit.require_erasure() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_user = 'holdfast_app' then
    if not exists (
        select from audit.subject_erasures e
        where e.tenant_id = old.tenant_id and e.status = 'erasing' and (e.subject = old.subject or old.subject = any (e.related))) then
      raise exception 'nobody has ordered that this subject is erased' using errcode = 'HF032';
    end if;
    if exists (
        select from audit.legal_holds h
        where h.tenant_id = old.tenant_id and h.lifted_at is null and (h.subject is null or h.subject = old.subject)) then
      raise exception 'a legal hold keeps this subject' using errcode = 'HF032';
    end if;
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
revoke execute on function audit.require_erasure() from public;

create trigger require_erasure before delete on audit.disclosures for each row execute function audit.require_erasure();
create trigger require_erasure before update on audit.subject_keys for each row when (new.wrapped is null)
  execute function audit.require_erasure();
