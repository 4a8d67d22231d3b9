-- The sealed log: for each tenant a Merkle tree over its events, made behind their commit by the sealer (role
-- holdfast_sealer), which reads events.log and writes what is here.
--
-- A tree is (tenant, epoch). Leaf 0 is the epoch's own entry (audit.epochs), every further leaf is one event; its entry is made
-- from the row of events.log (libs/modules/audit/src/sealing/leaf.ts) and not stored. The log of the installation itself has the
-- nil tenant: its leaves are the entries of audit.receipt_keys.
--
-- Right under concurrency: one sealer writes, the holder of the one row of audit.sealer, which each of its transactions
-- locks and whose fence it checks. Leaves are given their places and committed first; only what is committed is signed.
-- Safe under load: creates only.
set local role holdfast_owner;

create schema audit;
grant usage on schema audit to holdfast_app, holdfast_sealer, holdfast_ops;

-- How far each tenant's log is sealed. Of the events that the snapshot `earlier` shows all have their leaves; while `later` is
-- set, so do those that it shows up to `after_seq`. Snapshots and not ticks, since old ticks are thinned.
create table audit.trees (
  tenant_id uuid not null primary key,
  epoch int not null check (epoch >= 1),
  -- The epoch of events.lineage in which this epoch began: another one begins another.
  lineage int not null,
  -- Leaves that stand in tiles, the epoch's entry among them.
  size bigint not null check (size >= 0),
  earlier pg_snapshot not null,
  later pg_snapshot,
  after_seq bigint not null default 0,
  -- events.heads.tick when the range was begun that was read to its end last: what is due has a newer one.
  tick bigint not null default 0,
  sealed_at timestamptz not null default '-infinity'
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The entry of leaf 0: canonical JSON that names the last checkpoint of the epoch before. Rows of events below the leaf
-- `pruned_to` may be gone: the retention removed them, and an event of the log says so.
create table audit.epochs (
  tenant_id uuid not null,
  epoch int not null check (epoch >= 1),
  entry text not null,
  begun_at timestamptz not null default clock_timestamp(),
  pruned_to bigint not null default 0,
  primary key (tenant_id, epoch)
);

-- Tiles as C2SP tlog-tiles has them: up to 256 hashes of 32 bytes. The tile at the right edge of a level grows in place.
create table audit.tiles (
  tenant_id uuid not null,
  epoch int not null,
  level int not null check (level between 0 and 7),
  tile bigint not null check (tile >= 0),
  width int not null check (width between 1 and 256),
  hashes bytea not null check (length(hashes) = width * 32),
  primary key (tenant_id, epoch, level, tile)
) with (autovacuum_vacuum_scale_factor = 0.02);
-- Hashes do not compress.
alter table audit.tiles alter column hashes set storage external;

-- Whose leaves those of a tile of level 0 are, in their order: the ids of the events (nil for the epoch's entry), and for each
-- 32 bytes of prints, 2 for each field, which say what differs where a leaf does not fit. Nobody's proof rests on prints.
create table audit.leaves (
  tenant_id uuid not null,
  epoch int not null,
  tile bigint not null check (tile >= 0),
  event_ids uuid[] not null,
  prints bytea not null check (length(prints) = cardinality(event_ids) * 32),
  -- The least and greatest events.log.seq in here; null where there is no event.
  first_seq bigint,
  last_seq bigint,
  -- The greatest seq in this tile and all before it, so that the tile of an event is found by its seq.
  high_seq bigint not null default 0,
  primary key (tenant_id, epoch, tile)
) with (autovacuum_vacuum_scale_factor = 0.02);
alter table audit.leaves alter column event_ids set storage external, alter column prints set storage external;
create index leaves_tenant_id_epoch_high_seq_idx on audit.leaves (tenant_id, epoch, high_seq);

-- The newest checkpoint of each hour (a signed note), so that a year of them is 8,760 rows: a consistency proof from any other
-- size is made from the tiles.
create table audit.checkpoints (
  tenant_id uuid not null,
  epoch int not null,
  hour timestamptz not null,
  size bigint not null check (size >= 1),
  root bytea not null check (length(root) = 32),
  note text not null,
  signed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, epoch, hour)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Who seals. One row; the fence counts its holders.
create table audit.sealer (
  name text not null primary key check (name = 'sealer'),
  holder text,
  fence bigint not null default 0,
  expires_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
insert into audit.sealer (name) values ('sealer');

-- The public keys that have signed checkpoints (32 bytes of Ed25519), for whoever verifies. The private one is with the sealer.
create table audit.log_keys (
  public_key bytea not null primary key check (length(public_key) = 32),
  first_used_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz not null default clock_timestamp()
);

select tenancy.protect('audit.trees', readers => '{holdfast_sealer}');
select tenancy.protect('audit.epochs', readers => '{holdfast_sealer}');
select tenancy.protect('audit.tiles', readers => '{holdfast_sealer}');
select tenancy.protect('audit.leaves', readers => '{holdfast_sealer}');
select tenancy.protect('audit.checkpoints', readers => '{holdfast_sealer}');
create policy holdfast_sealer_seals on audit.trees as permissive for all to holdfast_sealer using (true) with check (true);
create policy holdfast_sealer_seals on audit.epochs as permissive for all to holdfast_sealer using (true) with check (true);
create policy holdfast_sealer_seals on audit.tiles as permissive for all to holdfast_sealer using (true) with check (true);
create policy holdfast_sealer_seals on audit.leaves as permissive for all to holdfast_sealer using (true) with check (true);
create policy holdfast_sealer_seals on audit.checkpoints as permissive for all to holdfast_sealer using (true) with check (true);
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'audit.log_keys', 'public keys of the installation, the same for all tenants; the application reads them', 'audit'),
  (4, 'audit.trees holdfast_sealer_seals', 'the sealer seals the logs of all tenants, and may write nothing else', 'audit'),
  (4, 'audit.epochs holdfast_sealer_seals', 'the sealer seals the logs of all tenants, and may write nothing else', 'audit'),
  (4, 'audit.tiles holdfast_sealer_seals', 'the sealer seals the logs of all tenants, and may write nothing else', 'audit'),
  (4, 'audit.leaves holdfast_sealer_seals', 'the sealer seals the logs of all tenants, and may write nothing else', 'audit'),
  (4, 'audit.checkpoints holdfast_sealer_seals', 'the sealer seals the logs of all tenants, and may write nothing else', 'audit');

grant select on audit.trees, audit.epochs, audit.tiles, audit.leaves, audit.checkpoints, audit.log_keys to holdfast_app, holdfast_ops;
-- Deleting: tiles of an epoch that ends are cut back to its last checkpoint.
grant select, insert, update, delete on audit.tiles, audit.leaves to holdfast_sealer;
grant select, insert, update on audit.trees, audit.checkpoints, audit.log_keys to holdfast_sealer;
grant select, insert on audit.epochs to holdfast_sealer;
grant select, update on audit.sealer to holdfast_sealer;
grant select on events.heads, events.lineage to holdfast_sealer;
grant select (id, snapshot, wal_lsn) on events.ticks to holdfast_sealer;
grant execute on function events.read_tenant_span(uuid, pg_snapshot, pg_snapshot, bigint, int) to holdfast_sealer;

insert into tenancy.not_exported (relation, reason) values
  ('audit.trees', 'how far this installation has sealed; another seals what it imports in a log of its own'),
  ('audit.epochs', 'of the log of this installation; an export of the audit log has it'),
  ('audit.tiles', 'of the log of this installation; an export of the audit log has it'),
  ('audit.leaves', 'of the log of this installation; an export of the audit log has it'),
  ('audit.checkpoints', 'of the log of this installation; an export of the audit log has it');

-- What a role of ours holds is copied when it is given; see 20261126210210_permit_closing_periods.
update auth.memberships
set scopes = scopes || '{audit:write,personal:read,personal:write}'
where not scopes && '{*,audit:write}'
  and scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read',
    'issuers:write', 'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write', 'ledger:read',
    'ledger:write', 'ledger:close', 'audit:read', 'events:read', 'webhooks:read', 'webhooks:write', 'telemetry:read'];

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array[
  'audit', 'audit.trees', 'audit.epochs', 'audit.tiles', 'audit.leaves', 'audit.checkpoints', 'audit.sealer', 'audit.log_keys',
  'events.heads', 'events.lineage', 'events.ticks', 'events.read_tenant_span']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
