-- The keys with which processes of the API sign receipts, and what each receipt of a repeated request is about.
--
-- A key is registered by the process that made it, over the pool that mints grants: text injected into business SQL runs as
-- holdfast_app, which may read the table and not write it. The sealer makes the entry a leaf of the installation's own log (the
-- nil tenant), which certifies the key, and stores the proof of that.
--
-- Right under concurrency: each registration is a row of its own. The sealer gives places to rows that have none while it
-- holds the row of audit.sealer. Safe under load: a new table, and a column without a default, which rewrites nothing.
set local role holdfast_owner;

create table audit.receipt_keys (
  -- The first 16 bytes of the SHA-256 of the public key, in hexadecimal.
  id text not null primary key,
  public_key bytea not null unique check (length(public_key) = 32),
  -- Canonical JSON: what is the leaf.
  entry text not null,
  -- Which process made it, for the operator. Not in the entry, since all tenants may read that.
  process text not null check (length(process) between 1 and 255),
  registered_at timestamptz not null default clock_timestamp(),
  -- Where the sealer has put it: epoch and index of the leaf.
  epoch int,
  leaf bigint,
  -- The proof of inclusion with its checkpoint, c2sp.org/tlog-proof@v1; null until the key is certified.
  certificate text,
  check ((epoch is null) = (leaf is null)),
  unique (epoch, leaf)
);
create index receipt_keys_registered_at_id_idx on audit.receipt_keys (registered_at, id);
-- Few have no certificate at any time.
create index receipt_keys_uncertified_idx on audit.receipt_keys (registered_at) where certificate is null;
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'audit.receipt_keys', 'public keys of the installation, the same for all tenants; the application reads them', 'audit');

grant select on audit.receipt_keys to holdfast_app, holdfast_ops;
grant select, update (epoch, leaf, certificate) on audit.receipt_keys to holdfast_sealer;

-- Registers a key and answers its entry. In `auth`, for the one role that processes mint grants with: whoever can call it can
-- have receipts signed in the installation's name.
create function auth.register_receipt_key(public_key bytea, lifetime interval, process text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- Receipts have the time of the process that signs, whose clock may be off by this.
  room constant interval := '5 minutes';
  shape constant text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
  since constant timestamptz := clock_timestamp();
  key_id constant text := encode(substr(sha256(public_key), 1, 16), 'hex');
  entry text;
begin
  if lifetime is null or lifetime not between '1 second' and '48 hours' then
    raise exception 'a receipt key lives for 48 hours at most' using errcode = '22023';
  end if;
  entry := format('{"id":"%s","kind":"receipt-key","publicKey":"%s","v":1,"validFrom":"%s","validUntil":"%s"}',
    key_id, encode(public_key, 'base64'), to_char((since - room) at time zone 'utc', shape),
    to_char((since + lifetime + room) at time zone 'utc', shape));
  insert into audit.receipt_keys (id, public_key, entry, process, registered_at)
  values (key_id, public_key, entry, process, since);
  return entry;
end $$;
revoke execute on function auth.register_receipt_key(bytea, interval, text) from public;
grant execute on function auth.register_receipt_key(bytea, interval, text) to holdfast_auth;

-- What the request committed, for the receipt of its replay.
alter table idempotency.answers add column events jsonb;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit.receipt_keys', 'auth.register_receipt_key']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
