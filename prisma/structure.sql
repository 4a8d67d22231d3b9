-- The database as it is, written by `npm run db:dump`. Migrations change it; this file is never edited.

-- Roles (of the cluster; passwords and membership of administrators left out)

create role holdfast_app login;

create role holdfast_auth login;

create role holdfast_jobs login;

create role holdfast_log nologin;

create role holdfast_ops login;

create role holdfast_owner nologin;
grant holdfast_log to holdfast_owner;

create role holdfast_relay login;

create role holdfast_sealer login;

-- Schemas

create schema audit authorization holdfast_owner;
create schema auth authorization holdfast_owner;
create schema drills authorization holdfast_owner;
create schema events authorization holdfast_owner;
create schema idempotency authorization holdfast_owner;
create schema identity authorization holdfast_owner;
create schema jobs authorization holdfast_jobs;
create schema ledger authorization holdfast_owner;
create schema payments authorization holdfast_owner;
create schema public authorization pg_database_owner;
create schema sagas authorization holdfast_owner;
create schema telemetry authorization holdfast_owner;
create schema tenancy authorization holdfast_owner;
create schema tenants authorization holdfast_owner;
create schema webhooks authorization holdfast_owner;

-- Types

create type ledger.posting_result as (place integer, result text, replayed boolean, id uuid, debit_account_id uuid, credit_account_id uuid, asset text, amount bigint, debit_version bigint, credit_version bigint, booked_at text, effective_date text, expires_at text);

-- Sequences

create sequence events.group_actions_id_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
create sequence events.lineage_id_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
create sequence events.log_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;

-- Tables, each with its constraints, indexes, policies and triggers

create table audit.breaks (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  epoch integer not null,
  leaf bigint,
  event_id uuid,
  message text not null,
  last_seen_at timestamp with time zone not null,
  constraint breaks_pkey PRIMARY KEY (tenant_id, id),
  constraint breaks_tenant_id_kind_epoch_leaf_event_id_key UNIQUE NULLS NOT DISTINCT (tenant_id, kind, epoch, leaf, event_id)
);
alter table audit.breaks owner to holdfast_owner;
alter table audit.breaks enable row level security;
alter table audit.breaks force row level security;
create policy holdfast_relay_reads on audit.breaks as permissive for select to holdfast_relay using (true);
create policy tenant_access on audit.breaks as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.breaks as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.checkpoints (
  tenant_id uuid not null,
  epoch integer not null,
  hour timestamp with time zone not null,
  size bigint not null,
  root bytea not null,
  note text not null,
  signed_at timestamp with time zone default clock_timestamp() not null,
  constraint checkpoints_pkey PRIMARY KEY (tenant_id, epoch, hour),
  constraint checkpoints_root_check CHECK ((length(root) = 32)),
  constraint checkpoints_size_check CHECK ((size >= 1))
) with (autovacuum_vacuum_scale_factor=0.02, fillfactor=50);
alter table audit.checkpoints owner to holdfast_owner;
alter table audit.checkpoints enable row level security;
alter table audit.checkpoints force row level security;
create policy holdfast_sealer_reads on audit.checkpoints as permissive for select to holdfast_sealer using (true);
create policy holdfast_sealer_seals on audit.checkpoints as permissive for all to holdfast_sealer using (true) with check (true);
create policy tenant_access on audit.checkpoints as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.checkpoints as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.cosignatures (
  tenant_id uuid not null,
  epoch integer not null,
  witness text not null,
  size bigint not null,
  note text not null,
  signatures text not null,
  cosigned_at timestamp with time zone not null,
  constraint cosignatures_pkey PRIMARY KEY (tenant_id, epoch, witness),
  constraint cosignatures_size_check CHECK ((size >= 1))
) with (fillfactor=50);
alter table audit.cosignatures owner to holdfast_owner;
CREATE INDEX cosignatures_tenant_id_epoch_size_idx ON audit.cosignatures USING btree (tenant_id, epoch, size);
alter table audit.cosignatures enable row level security;
alter table audit.cosignatures force row level security;
create policy tenant_access on audit.cosignatures as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.cosignatures as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.disclosures (
  tenant_id uuid not null,
  event_id uuid not null,
  path text not null,
  subject uuid not null,
  sealed bytea not null,
  constraint disclosures_pkey PRIMARY KEY (tenant_id, event_id, path)
);
alter table audit.disclosures owner to holdfast_owner;
CREATE INDEX disclosures_tenant_id_subject_idx ON audit.disclosures USING btree (tenant_id, subject);
alter table audit.disclosures enable row level security;
alter table audit.disclosures force row level security;
create policy tenant_access on audit.disclosures as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.disclosures as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE TRIGGER require_erasure BEFORE DELETE ON audit.disclosures FOR EACH ROW EXECUTE FUNCTION audit.require_erasure();

create table audit.epochs (
  tenant_id uuid not null,
  epoch integer not null,
  entry text not null,
  begun_at timestamp with time zone default clock_timestamp() not null,
  pruned_to bigint default 0 not null,
  constraint epochs_epoch_check CHECK ((epoch >= 1)),
  constraint epochs_pkey PRIMARY KEY (tenant_id, epoch)
);
alter table audit.epochs owner to holdfast_owner;
alter table audit.epochs enable row level security;
alter table audit.epochs force row level security;
create policy holdfast_sealer_reads on audit.epochs as permissive for select to holdfast_sealer using (true);
create policy holdfast_sealer_seals on audit.epochs as permissive for all to holdfast_sealer using (true) with check (true);
create policy tenant_access on audit.epochs as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.epochs as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.export_chunks (
  tenant_id uuid not null,
  export_id uuid not null,
  first_byte bigint not null,
  byte_count integer not null,
  body bytea not null,
  constraint export_chunks_byte_count_check CHECK ((byte_count > 0)),
  constraint export_chunks_pkey PRIMARY KEY (tenant_id, export_id, first_byte),
  constraint export_chunks_tenant_id_export_id_fkey FOREIGN KEY (tenant_id, export_id) REFERENCES audit.exports(tenant_id, id)
) with (autovacuum_vacuum_scale_factor=0.02);
alter table audit.export_chunks owner to holdfast_owner;
alter table audit.export_chunks enable row level security;
alter table audit.export_chunks force row level security;
create policy tenant_access on audit.export_chunks as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.export_chunks as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.exports (
  tenant_id uuid not null,
  id uuid not null,
  format text not null,
  filters jsonb default '{}'::jsonb not null,
  status text default 'queued'::text not null,
  requested_by text not null,
  requested_at timestamp with time zone default clock_timestamp() not null,
  completed_at timestamp with time zone,
  expires_at timestamp with time zone,
  rows_done bigint default 0 not null,
  rows_total bigint,
  byte_count bigint default 0 not null,
  sha256 text,
  constraint exports_format_check CHECK ((format = ANY (ARRAY['ndjson'::text, 'csv'::text, 'bundle'::text]))),
  constraint exports_pkey PRIMARY KEY (tenant_id, id),
  constraint exports_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'completed'::text, 'failed'::text, 'expired'::text])))
) with (autovacuum_vacuum_scale_factor=0.02);
alter table audit.exports owner to holdfast_owner;
alter table audit.exports enable row level security;
alter table audit.exports force row level security;
create policy tenant_access on audit.exports as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.exports as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON audit.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON audit.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON audit.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (((to_jsonb(old.*) - '{rows_done,rows_total,byte_count,status}'::text[]) IS DISTINCT FROM (to_jsonb(new.*) - '{rows_done,rows_total,byte_count,status}'::text[])) OR ((new.status <> old.status) AND (new.status <> 'running'::text))))) EXECUTE FUNCTION tenancy.require_event();

create table audit.leaves (
  tenant_id uuid not null,
  epoch integer not null,
  tile bigint not null,
  event_ids uuid[] not null,
  prints bytea not null,
  first_seq bigint,
  last_seq bigint,
  high_seq bigint default 0 not null,
  constraint leaves_check CHECK ((length(prints) = (cardinality(event_ids) * 32))),
  constraint leaves_pkey PRIMARY KEY (tenant_id, epoch, tile),
  constraint leaves_tile_check CHECK ((tile >= 0))
) with (autovacuum_vacuum_scale_factor=0.02);
alter table audit.leaves owner to holdfast_owner;
CREATE INDEX leaves_tenant_id_epoch_high_seq_idx ON audit.leaves USING btree (tenant_id, epoch, high_seq);
alter table audit.leaves enable row level security;
alter table audit.leaves force row level security;
create policy holdfast_sealer_reads on audit.leaves as permissive for select to holdfast_sealer using (true);
create policy holdfast_sealer_seals on audit.leaves as permissive for all to holdfast_sealer using (true) with check (true);
create policy tenant_access on audit.leaves as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.leaves as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.legal_holds (
  tenant_id uuid not null,
  id uuid not null,
  subject uuid,
  reason text not null,
  placed_by text default tenancy.actor() not null,
  placed_at timestamp with time zone default clock_timestamp() not null,
  lifted_by text,
  lifted_at timestamp with time zone,
  constraint legal_holds_check CHECK (((lifted_by IS NULL) = (lifted_at IS NULL))),
  constraint legal_holds_pkey PRIMARY KEY (tenant_id, id),
  constraint legal_holds_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 1000)))
);
alter table audit.legal_holds owner to holdfast_owner;
CREATE INDEX legal_holds_tenant_id_idx ON audit.legal_holds USING btree (tenant_id) WHERE (lifted_at IS NULL);
alter table audit.legal_holds enable row level security;
alter table audit.legal_holds force row level security;
create policy tenant_access on audit.legal_holds as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.legal_holds as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON audit.legal_holds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON audit.legal_holds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON audit.legal_holds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON audit.legal_holds FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();
CREATE TRIGGER refuse_lasting_change BEFORE UPDATE OF lifted_at ON audit.legal_holds FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table audit.log_keys (
  public_key bytea not null,
  first_used_at timestamp with time zone default clock_timestamp() not null,
  last_used_at timestamp with time zone default clock_timestamp() not null,
  constraint log_keys_pkey PRIMARY KEY (public_key),
  constraint log_keys_public_key_check CHECK ((length(public_key) = 32))
);
alter table audit.log_keys owner to holdfast_owner;

create table audit.offers (
  tenant_id uuid not null,
  witness text not null,
  tick bigint default '-1'::integer not null,
  due_at timestamp with time zone default clock_timestamp() not null,
  holder uuid,
  lease_until timestamp with time zone,
  failures integer default 0 not null,
  outcome text,
  tried_at timestamp with time zone,
  waiting_since timestamp with time zone,
  constraint offers_outcome_check CHECK ((length(outcome) <= 64)),
  constraint offers_pkey PRIMARY KEY (tenant_id, witness)
) with (fillfactor=70);
alter table audit.offers owner to holdfast_owner;
alter table audit.offers enable row level security;
alter table audit.offers force row level security;
create policy holdfast_relay_reads on audit.offers as permissive for select to holdfast_relay using (true);
create policy tenant_access on audit.offers as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.offers as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.receipt_keys (
  id text not null,
  public_key bytea not null,
  entry text not null,
  process text not null,
  registered_at timestamp with time zone default clock_timestamp() not null,
  epoch integer,
  leaf bigint,
  certificate text,
  constraint receipt_keys_check CHECK (((epoch IS NULL) = (leaf IS NULL))),
  constraint receipt_keys_epoch_leaf_key UNIQUE (epoch, leaf),
  constraint receipt_keys_pkey PRIMARY KEY (id),
  constraint receipt_keys_process_check CHECK (((length(process) >= 1) AND (length(process) <= 255))),
  constraint receipt_keys_public_key_check CHECK ((length(public_key) = 32)),
  constraint receipt_keys_public_key_key UNIQUE (public_key)
);
alter table audit.receipt_keys owner to holdfast_owner;
CREATE INDEX receipt_keys_registered_at_id_idx ON audit.receipt_keys USING btree (registered_at, id);
CREATE INDEX receipt_keys_uncertified_idx ON audit.receipt_keys USING btree (registered_at) WHERE (certificate IS NULL);

create table audit.requests (
  tenant_id uuid not null,
  id uuid not null,
  request_id text not null,
  actor text not null,
  route text not null,
  status integer not null,
  address text not null,
  user_agent text,
  answered_at timestamp with time zone not null,
  constraint requests_pkey PRIMARY KEY (tenant_id, id)
);
alter table audit.requests owner to holdfast_owner;
CREATE INDEX requests_tenant_id_request_id_idx ON audit.requests USING btree (tenant_id, request_id);
alter table audit.requests enable row level security;
alter table audit.requests force row level security;
create policy tenant_access on audit.requests as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.requests as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.retention (
  tenant_id uuid not null,
  keep_days integer,
  version bigint default 0 not null,
  constraint retention_keep_days_check CHECK (((keep_days >= 1) AND (keep_days <= 36500))),
  constraint retention_pkey PRIMARY KEY (tenant_id)
);
alter table audit.retention owner to holdfast_owner;
alter table audit.retention enable row level security;
alter table audit.retention force row level security;
create policy tenant_access on audit.retention as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.retention as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON audit.retention DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON audit.retention DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (new.keep_days IS NOT NULL))) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON audit.retention DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT OR UPDATE OF keep_days ON audit.retention FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table audit.sealer (
  name text not null,
  holder text,
  fence bigint default 0 not null,
  expires_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint sealer_name_check CHECK ((name = 'sealer'::text)),
  constraint sealer_pkey PRIMARY KEY (name)
) with (fillfactor=50);
alter table audit.sealer owner to holdfast_owner;

create table audit.subject_erasures (
  tenant_id uuid not null,
  subject uuid not null,
  related uuid[] not null,
  status text not null,
  requested_by text default tenancy.actor() not null,
  requested_at timestamp with time zone default clock_timestamp() not null,
  erased_at timestamp with time zone,
  stream_version bigint default 1 not null,
  constraint subject_erasures_pkey PRIMARY KEY (tenant_id, subject),
  constraint subject_erasures_status_check CHECK ((status = ANY (ARRAY['erasing'::text, 'erased'::text])))
);
alter table audit.subject_erasures owner to holdfast_owner;
alter table audit.subject_erasures enable row level security;
alter table audit.subject_erasures force row level security;
create policy tenant_access on audit.subject_erasures as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.subject_erasures as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON audit.subject_erasures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON audit.subject_erasures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON audit.subject_erasures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON audit.subject_erasures FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();
CREATE TRIGGER refuse_lasting_change BEFORE UPDATE OF status ON audit.subject_erasures FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table audit.subject_keys (
  tenant_id uuid not null,
  subject uuid not null,
  key_id uuid not null,
  wrapped bytea,
  constraint subject_keys_pkey PRIMARY KEY (tenant_id, subject)
);
alter table audit.subject_keys owner to holdfast_owner;
CREATE INDEX subject_keys_tenant_id_key_id_idx ON audit.subject_keys USING btree (tenant_id, key_id) WHERE (wrapped IS NOT NULL);
alter table audit.subject_keys enable row level security;
alter table audit.subject_keys force row level security;
create policy tenant_access on audit.subject_keys as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.subject_keys as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE TRIGGER require_erasure BEFORE UPDATE ON audit.subject_keys FOR EACH ROW WHEN ((new.wrapped IS NULL)) EXECUTE FUNCTION audit.require_erasure();
CREATE TRIGGER require_rewrap BEFORE UPDATE ON audit.subject_keys FOR EACH ROW WHEN ((new.wrapped IS NOT NULL)) EXECUTE FUNCTION audit.require_rewrap();

create table audit.tiles (
  tenant_id uuid not null,
  epoch integer not null,
  level integer not null,
  tile bigint not null,
  width integer not null,
  hashes bytea not null,
  constraint tiles_check CHECK ((length(hashes) = (width * 32))),
  constraint tiles_level_check CHECK (((level >= 0) AND (level <= 7))),
  constraint tiles_pkey PRIMARY KEY (tenant_id, epoch, level, tile),
  constraint tiles_tile_check CHECK ((tile >= 0)),
  constraint tiles_width_check CHECK (((width >= 1) AND (width <= 256)))
) with (autovacuum_vacuum_scale_factor=0.02);
alter table audit.tiles owner to holdfast_owner;
alter table audit.tiles enable row level security;
alter table audit.tiles force row level security;
create policy holdfast_sealer_reads on audit.tiles as permissive for select to holdfast_sealer using (true);
create policy holdfast_sealer_seals on audit.tiles as permissive for all to holdfast_sealer using (true) with check (true);
create policy tenant_access on audit.tiles as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.tiles as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.trees (
  tenant_id uuid not null,
  epoch integer not null,
  lineage integer not null,
  size bigint not null,
  earlier pg_snapshot not null,
  later pg_snapshot,
  after_seq bigint default 0 not null,
  tick bigint default 0 not null,
  sealed_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint trees_epoch_check CHECK ((epoch >= 1)),
  constraint trees_pkey PRIMARY KEY (tenant_id),
  constraint trees_size_check CHECK ((size >= 0))
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, fillfactor=50);
alter table audit.trees owner to holdfast_owner;
alter table audit.trees enable row level security;
alter table audit.trees force row level security;
create policy holdfast_sealer_reads on audit.trees as permissive for select to holdfast_sealer using (true);
create policy holdfast_sealer_seals on audit.trees as permissive for all to holdfast_sealer using (true) with check (true);
create policy tenant_access on audit.trees as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.trees as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table audit.vaults (
  tenant_id uuid not null,
  key_id uuid not null,
  constraint vaults_pkey PRIMARY KEY (tenant_id)
);
alter table audit.vaults owner to holdfast_owner;
alter table audit.vaults enable row level security;
alter table audit.vaults force row level security;
create policy tenant_access on audit.vaults as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.vaults as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE TRIGGER require_rewrap BEFORE UPDATE ON audit.vaults FOR EACH ROW EXECUTE FUNCTION audit.require_rewrap();

create table audit.witnesses (
  tenant_id uuid not null,
  id uuid not null,
  verifier_key text not null,
  url text not null,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint witnesses_pkey PRIMARY KEY (tenant_id, id),
  constraint witnesses_tenant_id_verifier_key_key UNIQUE (tenant_id, verifier_key),
  constraint witnesses_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2000))),
  constraint witnesses_verifier_key_check CHECK (((length(verifier_key) >= 1) AND (length(verifier_key) <= 600)))
);
alter table audit.witnesses owner to holdfast_owner;
alter table audit.witnesses enable row level security;
alter table audit.witnesses force row level security;
create policy holdfast_relay_reads on audit.witnesses as permissive for select to holdfast_relay using (true);
create policy tenant_access on audit.witnesses as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on audit.witnesses as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON audit.witnesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON audit.witnesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON audit.witnesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON audit.witnesses FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();
CREATE TRIGGER refuse_lasting_change BEFORE DELETE ON audit.witnesses FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table auth.credentials (
  secret_hash bytea not null,
  tenant_id uuid not null,
  api_key_id uuid not null,
  scopes text[] not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  act text,
  actor text,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint credentials_pkey PRIMARY KEY (secret_hash),
  constraint credentials_secret_hash_check CHECK ((length(secret_hash) = 32))
);
alter table auth.credentials owner to holdfast_owner;
CREATE INDEX credentials_tenant_id_api_key_id_idx ON auth.credentials USING btree (tenant_id, api_key_id);
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON auth.credentials DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((SESSION_USER ~~ 'holdfast\_%'::text) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON auth.credentials DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((SESSION_USER ~~ 'holdfast\_%'::text) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON auth.credentials FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table auth.memberships (
  issuer text not null,
  subject text not null,
  tenant_id uuid not null,
  member_id uuid not null,
  scopes text[] not null,
  constraint memberships_pkey PRIMARY KEY (issuer, subject, tenant_id)
);
alter table auth.memberships owner to holdfast_owner;
CREATE UNIQUE INDEX memberships_tenant_id_member_id_idx ON auth.memberships USING btree (tenant_id, member_id);
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON auth.memberships DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((SESSION_USER ~~ 'holdfast\_%'::text) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON auth.memberships DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((SESSION_USER ~~ 'holdfast\_%'::text) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT OR UPDATE ON auth.memberships FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table auth.tenants (
  id uuid not null,
  state text default 'active'::text not null,
  plan text default 'standard'::text not null,
  changed_at timestamp with time zone default clock_timestamp() not null,
  slug text,
  revocations bigint default 0 not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_plan_check CHECK ((plan ~ '^[a-z][a-z0-9_-]{0,30}$'::text)),
  constraint tenants_slug_key UNIQUE (slug),
  constraint tenants_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'closing'::text, 'erasing'::text, 'erased'::text])))
);
alter table auth.tenants owner to holdfast_owner;
CREATE INDEX tenants_revocations_idx ON auth.tenants USING btree (revocations) WHERE (revocations > 0);
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON auth.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((SESSION_USER ~~ 'holdfast\_%'::text) AND (current_setting('is_superuser'::text) = 'off'::text) AND (((new.state IS DISTINCT FROM old.state) OR (new.plan IS DISTINCT FROM old.plan)) AND ('erasing'::text <> ALL (ARRAY[old.state, new.state]))))) EXECUTE FUNCTION tenancy.require_event('id');

create table drills.drills (
  policy text not null,
  does text not null,
  delay_ms integer not null,
  begun_by text not null,
  ends_at timestamp with time zone not null,
  constraint drills_delay_ms_check CHECK (((delay_ms >= 1) AND (delay_ms <= 60000))),
  constraint drills_does_check CHECK ((does = ANY (ARRAY['open'::text, 'fail'::text, 'slow'::text]))),
  constraint drills_pkey PRIMARY KEY (policy),
  constraint drills_policy_check CHECK ((policy ~ '^[a-z][a-z_]{0,62}$'::text))
);
alter table drills.drills owner to holdfast_owner;

create table events.group_actions (
  id bigint generated always as identity not null,
  group_name text not null,
  action text not null,
  acted_at timestamp with time zone default clock_timestamp() not null,
  acted_by text not null,
  reason text not null,
  generation integer,
  to_tick bigint,
  request_key text,
  request_hash text,
  constraint group_actions_action_check CHECK ((action = ANY (ARRAY['pause'::text, 'resume'::text, 'replay'::text]))),
  constraint group_actions_check CHECK ((((action = 'replay'::text) = (generation IS NOT NULL)) AND ((action = 'replay'::text) = (to_tick IS NOT NULL)))),
  constraint group_actions_group_name_fkey FOREIGN KEY (group_name) REFERENCES events.groups(name),
  constraint group_actions_group_name_generation_key UNIQUE (group_name, generation),
  constraint group_actions_group_name_request_key_key UNIQUE (group_name, request_key),
  constraint group_actions_pkey PRIMARY KEY (id),
  constraint group_actions_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500))),
  constraint group_actions_request_key_check CHECK ((length(request_key) <= 255))
);
alter table events.group_actions owner to holdfast_owner;

create table events.group_lags (
  group_name text not null,
  lagging_keys bigint not null,
  lagging_events bigint not null,
  lag_seconds double precision not null,
  parked_keys bigint not null,
  parked_events bigint not null,
  quarantined_keys bigint not null,
  measured_at timestamp with time zone default clock_timestamp() not null,
  constraint group_lags_pkey PRIMARY KEY (group_name)
) with (fillfactor=50);
alter table events.group_lags owner to holdfast_owner;

create table events.groups (
  name text not null,
  kind text not null,
  replay text not null,
  from_tick bigint not null,
  registered_at timestamp with time zone default clock_timestamp() not null,
  paused_at timestamp with time zone,
  paused_by text,
  paused_reason text,
  generation integer default 0 not null,
  constraint groups_check CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((paused_at IS NULL) = (paused_reason IS NULL)))),
  constraint groups_kind_check CHECK ((kind = ANY (ARRAY['tenant'::text, 'store'::text]))),
  constraint groups_name_check CHECK (((name ~ '^[a-z][a-z0-9]*([.-][a-z0-9]+)*$'::text) AND (length(name) <= 40))),
  constraint groups_pkey PRIMARY KEY (name),
  constraint groups_replay_check CHECK ((replay = ANY (ARRAY['idempotent'::text, 'reset'::text, 'never'::text])))
);
alter table events.groups owner to holdfast_owner;

create table events.heads (
  tenant_id uuid not null,
  tick bigint not null,
  constraint heads_pkey PRIMARY KEY (tenant_id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, fillfactor=50);
alter table events.heads owner to holdfast_owner;

create table events.leases (
  name text not null,
  holder text,
  fence bigint default 0 not null,
  expires_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint leases_pkey PRIMARY KEY (name)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, fillfactor=50);
alter table events.leases owner to holdfast_owner;

create table events.lineage (
  id bigint generated always as identity not null,
  epoch integer not null,
  system_identifier bigint,
  timeline integer not null,
  server_started_at timestamp with time zone not null,
  adopted_at timestamp with time zone default clock_timestamp() not null,
  adopted_by text not null,
  reason text not null,
  stopped_at timestamp with time zone,
  stopped_reason text,
  stopped_detail text,
  constraint lineage_check CHECK (((stopped_at IS NULL) = (stopped_reason IS NULL))),
  constraint lineage_epoch_check CHECK ((epoch >= 1)),
  constraint lineage_pkey PRIMARY KEY (id),
  constraint lineage_stopped_reason_check CHECK ((stopped_reason = ANY (ARRAY['system'::text, 'timeline'::text, 'position'::text, 'positions'::text])))
) with (fillfactor=50);
alter table events.lineage owner to holdfast_owner;

create table events.log (
  seq bigint generated always as identity not null,
  xid xid8 not null,
  tenant_id uuid not null,
  id uuid not null,
  stream_type text not null,
  stream_id uuid not null,
  stream_version bigint not null,
  type text not null,
  schema_version integer not null,
  actor text not null,
  correlation_id text not null,
  causation_id text,
  traceparent text,
  occurred_at timestamp with time zone not null,
  data jsonb not null,
  act text,
  constraint log_pkey PRIMARY KEY (tenant_id, id),
  constraint log_schema_version_check CHECK ((schema_version >= 1)),
  constraint log_stream_version_check CHECK ((stream_version >= 1)),
  constraint log_tenant_id_stream_type_stream_id_stream_version_key UNIQUE (tenant_id, stream_type, stream_id, stream_version)
);
alter table events.log owner to holdfast_owner;
CREATE INDEX log_tenant_id_correlation_id_idx ON events.log USING btree (tenant_id, correlation_id);
CREATE INDEX log_tenant_id_seq_idx ON events.log USING btree (tenant_id, seq);
CREATE INDEX log_tenant_id_xid_idx ON events.log USING btree (tenant_id, xid);
CREATE INDEX log_xid_idx ON events.log USING btree (xid);
alter table events.log enable row level security;
alter table events.log force row level security;
create policy holdfast_log_appends on events.log as permissive for insert to holdfast_log with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
create policy holdfast_log_looks on events.log as permissive for select to holdfast_log using (true);
create policy holdfast_relay_reads on events.log as permissive for select to holdfast_relay using (true);
create policy holdfast_sealer_reads on events.log as permissive for select to holdfast_sealer using (true);
create policy tenant_access on events.log as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on events.log as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table events.parked_events (
  tenant_id uuid not null,
  group_name text not null,
  key text not null,
  place bigint not null,
  event_id uuid not null,
  constraint parked_events_pkey PRIMARY KEY (tenant_id, group_name, key, place),
  constraint parked_events_tenant_id_group_name_key_fkey FOREIGN KEY (tenant_id, group_name, key) REFERENCES events.parked_keys(tenant_id, group_name, key)
);
alter table events.parked_events owner to holdfast_owner;
alter table events.parked_events enable row level security;
alter table events.parked_events force row level security;
create policy holdfast_relay_parks on events.parked_events as permissive for all to holdfast_relay using ((EXISTS ( SELECT
   FROM events.groups g
  WHERE ((g.name = parked_events.group_name) AND (g.kind = 'store'::text))))) with check ((EXISTS ( SELECT
   FROM events.groups g
  WHERE ((g.name = parked_events.group_name) AND (g.kind = 'store'::text)))));
create policy holdfast_relay_reads on events.parked_events as permissive for select to holdfast_relay using (true);
create policy tenant_access on events.parked_events as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on events.parked_events as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table events.parked_keys (
  tenant_id uuid not null,
  group_name text not null,
  key text not null,
  state text not null,
  attempts integer not null,
  retry_at timestamp with time zone,
  failed_event_id uuid,
  skip_event_id uuid,
  last_error text,
  event_count bigint default 0 not null,
  through_place bigint,
  parked_at timestamp with time zone default clock_timestamp() not null,
  quarantined_at timestamp with time zone,
  released_at timestamp with time zone,
  released_by text,
  released_reason text,
  constraint parked_keys_attempts_check CHECK ((attempts >= 0)),
  constraint parked_keys_check CHECK (((state = 'quarantined'::text) = (retry_at IS NULL))),
  constraint parked_keys_event_count_check CHECK ((event_count >= 0)),
  constraint parked_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200))),
  constraint parked_keys_pkey PRIMARY KEY (tenant_id, group_name, key),
  constraint parked_keys_released_reason_check CHECK (((length(released_reason) >= 1) AND (length(released_reason) <= 500))),
  constraint parked_keys_state_check CHECK ((state = ANY (ARRAY['retrying'::text, 'quarantined'::text, 'releasing'::text])))
) with (fillfactor=70);
alter table events.parked_keys owner to holdfast_owner;
CREATE INDEX parked_keys_group_name_idx ON events.parked_keys USING btree (group_name) WHERE (retry_at IS NULL);
CREATE INDEX parked_keys_group_name_retry_at_idx ON events.parked_keys USING btree (group_name, retry_at) WHERE (retry_at IS NOT NULL);
CREATE INDEX parked_keys_unsettled_idx ON events.parked_keys USING btree (group_name) WHERE (through_place IS NOT NULL);
alter table events.parked_keys enable row level security;
alter table events.parked_keys force row level security;
create policy holdfast_ops_reads on events.parked_keys as permissive for select to holdfast_ops using (true);
create policy holdfast_relay_parks on events.parked_keys as permissive for all to holdfast_relay using ((EXISTS ( SELECT
   FROM events.groups g
  WHERE ((g.name = parked_keys.group_name) AND (g.kind = 'store'::text))))) with check ((EXISTS ( SELECT
   FROM events.groups g
  WHERE ((g.name = parked_keys.group_name) AND (g.kind = 'store'::text)))));
create policy holdfast_relay_reads on events.parked_keys as permissive for select to holdfast_relay using (true);
create policy tenant_access on events.parked_keys as permissive for all to holdfast_app, holdfast_owner using (true) with check (true);
create policy tenant_isolation on events.parked_keys as restrictive for all to holdfast_app, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table events.store_cursors (
  group_name text not null,
  from_tick bigint default 0 not null,
  to_tick bigint,
  after_seq bigint default 0 not null,
  through_seq bigint,
  attempts integer default 0 not null,
  retry_at timestamp with time zone,
  last_error text,
  generation integer default 0 not null,
  rewind_to bigint,
  constraint store_cursors_check CHECK ((to_tick > from_tick)),
  constraint store_cursors_check1 CHECK ((through_seq > after_seq)),
  constraint store_cursors_pkey PRIMARY KEY (group_name)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, fillfactor=50);
alter table events.store_cursors owner to holdfast_owner;

create table events.tenant_cursors (
  tenant_id uuid not null,
  group_name text not null,
  from_tick bigint default 0 not null,
  to_tick bigint,
  after_seq bigint default 0 not null,
  attempts integer default 0 not null,
  retry_at timestamp with time zone,
  last_error text,
  generation integer default 0 not null,
  rewind_to bigint,
  constraint tenant_cursors_check CHECK ((to_tick > from_tick)),
  constraint tenant_cursors_pkey PRIMARY KEY (tenant_id, group_name)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, fillfactor=50);
alter table events.tenant_cursors owner to holdfast_owner;
alter table events.tenant_cursors enable row level security;
alter table events.tenant_cursors force row level security;
create policy holdfast_relay_reads on events.tenant_cursors as permissive for select to holdfast_relay using (true);
create policy tenant_access on events.tenant_cursors as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on events.tenant_cursors as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table events.ticks (
  id bigint not null,
  snapshot pg_snapshot not null,
  event_count bigint not null,
  first_seq bigint,
  last_seq bigint,
  wal_lsn pg_lsn not null,
  fence bigint not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint ticks_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=2000);
alter table events.ticks owner to holdfast_owner;

create table idempotency.answers (
  tenant_id uuid not null,
  actor text not null,
  route text not null,
  key text not null,
  request_hash bytea not null,
  refused boolean,
  body json,
  created_at timestamp with time zone default clock_timestamp() not null,
  events jsonb,
  constraint answers_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255))),
  constraint answers_pkey PRIMARY KEY (tenant_id, actor, route, key)
);
alter table idempotency.answers owner to holdfast_owner;
CREATE INDEX answers_tenant_id_created_at_idx ON idempotency.answers USING btree (tenant_id, created_at);
alter table idempotency.answers enable row level security;
alter table idempotency.answers force row level security;
create policy tenant_access on idempotency.answers as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on idempotency.answers as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table identity.api_keys (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  prefix text not null,
  scopes text[] not null,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  version bigint default 1 not null,
  rotated_at timestamp with time zone,
  previous_ends_at timestamp with time zone,
  reason text,
  constraint api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint api_keys_pkey PRIMARY KEY (tenant_id, id),
  constraint api_keys_reason_check CHECK (((length(reason) >= 10) AND (length(reason) <= 500))),
  constraint api_keys_version_check CHECK ((version >= 1))
);
alter table identity.api_keys owner to holdfast_owner;
alter table identity.api_keys enable row level security;
alter table identity.api_keys force row level security;
create policy tenant_access on identity.api_keys as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.api_keys as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.api_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table identity.credential_addresses (
  tenant_id uuid not null,
  credential text not null,
  address text not null,
  salt uuid default gen_random_uuid() not null,
  first_used_at timestamp with time zone not null,
  last_used_at timestamp with time zone not null,
  constraint credential_addresses_pkey PRIMARY KEY (tenant_id, credential, address),
  constraint credential_addresses_tenant_id_credential_fkey FOREIGN KEY (tenant_id, credential) REFERENCES identity.credential_uses(tenant_id, credential)
);
alter table identity.credential_addresses owner to holdfast_owner;
CREATE INDEX credential_addresses_tenant_id_last_used_at_idx ON identity.credential_addresses USING btree (tenant_id, last_used_at);
alter table identity.credential_addresses enable row level security;
alter table identity.credential_addresses force row level security;
create policy tenant_access on identity.credential_addresses as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.credential_addresses as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table identity.credential_uses (
  tenant_id uuid not null,
  credential text not null,
  last_used_at timestamp with time zone not null,
  last_address text,
  version bigint default 0 not null,
  constraint credential_uses_pkey PRIMARY KEY (tenant_id, credential),
  constraint credential_uses_version_check CHECK ((version >= 0))
);
alter table identity.credential_uses owner to holdfast_owner;
CREATE INDEX credential_uses_tenant_id_last_used_at_idx ON identity.credential_uses USING btree (tenant_id, last_used_at) WHERE (last_address IS NOT NULL);
alter table identity.credential_uses enable row level security;
alter table identity.credential_uses force row level security;
create policy tenant_access on identity.credential_uses as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.credential_uses as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table identity.invitations (
  tenant_id uuid not null,
  id uuid not null,
  token_hash bytea not null,
  email text,
  built_in_role text,
  role_id uuid,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  accepted_at timestamp with time zone,
  member_id uuid,
  constraint invitations_built_in_role_check CHECK ((built_in_role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'auditor'::text]))),
  constraint invitations_check CHECK ((num_nonnulls(built_in_role, role_id) =
CASE
    WHEN (num_nonnulls(revoked_at, accepted_at) = 0) THEN 1
    ELSE 0
END)),
  constraint invitations_check1 CHECK ((num_nonnulls(accepted_at, member_id) = ANY (ARRAY[0, 2]))),
  constraint invitations_email_check CHECK (((length(email) >= 3) AND (length(email) <= 320))),
  constraint invitations_pkey PRIMARY KEY (tenant_id, id),
  constraint invitations_tenant_id_member_id_fkey FOREIGN KEY (tenant_id, member_id) REFERENCES identity.members(tenant_id, id),
  constraint invitations_tenant_id_role_id_fkey FOREIGN KEY (tenant_id, role_id) REFERENCES identity.roles(tenant_id, id),
  constraint invitations_tenant_id_token_hash_key UNIQUE (tenant_id, token_hash),
  constraint invitations_token_hash_check CHECK ((length(token_hash) = 32))
);
alter table identity.invitations owner to holdfast_owner;
CREATE INDEX invitations_tenant_id_role_id_idx ON identity.invitations USING btree (tenant_id, role_id) WHERE (role_id IS NOT NULL);
alter table identity.invitations enable row level security;
alter table identity.invitations force row level security;
create policy tenant_access on identity.invitations as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.invitations as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.invitations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.invitations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.invitations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table identity.issuers (
  tenant_id uuid not null,
  id uuid not null,
  issuer text not null,
  claim text not null,
  claim_value text not null,
  role_claim text,
  roles jsonb default '[]'::jsonb not null,
  default_role text,
  version bigint default 1 not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint issuers_claim_check CHECK (((length(claim) >= 1) AND (length(claim) <= 200))),
  constraint issuers_claim_value_check CHECK (((length(claim_value) >= 1) AND (length(claim_value) <= 200))),
  constraint issuers_issuer_check CHECK (((length(issuer) >= 1) AND (length(issuer) <= 500))),
  constraint issuers_pkey PRIMARY KEY (tenant_id, id),
  constraint issuers_role_claim_check CHECK (((length(role_claim) >= 1) AND (length(role_claim) <= 200))),
  constraint issuers_version_check CHECK ((version >= 1))
);
alter table identity.issuers owner to holdfast_owner;
CREATE INDEX issuers_tenant_id_issuer_id_idx ON identity.issuers USING btree (tenant_id, issuer, id);
alter table identity.issuers enable row level security;
alter table identity.issuers force row level security;
create policy tenant_access on identity.issuers as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.issuers as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.issuers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.issuers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.issuers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table identity.members (
  tenant_id uuid not null,
  id uuid not null,
  issuer text not null,
  subject text not null,
  email text,
  display_name text,
  built_in_role text,
  role_id uuid,
  source text not null,
  version bigint default 1 not null,
  stream_version bigint default 1 not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  removed_at timestamp with time zone,
  signed_in_at timestamp with time zone,
  signed_in_token bytea,
  constraint members_built_in_role_check CHECK ((built_in_role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'auditor'::text]))),
  constraint members_check CHECK ((num_nonnulls(built_in_role, role_id) =
CASE
    WHEN (removed_at IS NULL) THEN 1
    ELSE 0
END)),
  constraint members_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 200))),
  constraint members_email_check CHECK (((length(email) >= 3) AND (length(email) <= 320))),
  constraint members_pkey PRIMARY KEY (tenant_id, id),
  constraint members_signed_in_token_check CHECK ((length(signed_in_token) = 32)),
  constraint members_source_check CHECK ((source = ANY (ARRAY['added'::text, 'invitation'::text, 'issuer'::text, 'sign-up'::text]))),
  constraint members_stream_version_check CHECK ((stream_version >= 1)),
  constraint members_tenant_id_role_id_fkey FOREIGN KEY (tenant_id, role_id) REFERENCES identity.roles(tenant_id, id),
  constraint members_version_check CHECK ((version >= 1))
);
alter table identity.members owner to holdfast_owner;
CREATE INDEX members_tenant_id_owners_idx ON identity.members USING btree (tenant_id, id) WHERE (built_in_role = 'owner'::text);
CREATE INDEX members_tenant_id_role_id_idx ON identity.members USING btree (tenant_id, role_id) WHERE (role_id IS NOT NULL);
CREATE UNIQUE INDEX members_tenant_id_issuer_subject_idx ON identity.members USING btree (tenant_id, issuer, subject) WHERE (removed_at IS NULL);
alter table identity.members enable row level security;
alter table identity.members force row level security;
create policy tenant_access on identity.members as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.members as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table identity.roles (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  permissions text[] not null,
  version bigint default 1 not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint roles_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
  constraint roles_pkey PRIMARY KEY (tenant_id, id),
  constraint roles_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint roles_version_check CHECK ((version >= 1))
);
alter table identity.roles owner to holdfast_owner;
alter table identity.roles enable row level security;
alter table identity.roles force row level security;
create policy tenant_access on identity.roles as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.roles as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table identity.support_accesses (
  tenant_id uuid not null,
  id uuid not null,
  operator text not null,
  member_id uuid,
  scopes text[] not null,
  reason text not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  ended_by text,
  constraint support_accesses_pkey PRIMARY KEY (tenant_id, id),
  constraint support_accesses_reason_check CHECK (((length(reason) >= 10) AND (length(reason) <= 500)))
);
alter table identity.support_accesses owner to holdfast_owner;
alter table identity.support_accesses enable row level security;
alter table identity.support_accesses force row level security;
create policy tenant_access on identity.support_accesses as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on identity.support_accesses as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON identity.support_accesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON identity.support_accesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON identity.support_accesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table ledger.accounts (
  tenant_id uuid not null,
  id uuid not null,
  code text not null,
  asset text not null,
  normal_balance text not null,
  limit_rule text not null,
  metadata jsonb default '{}'::jsonb not null,
  opened_at timestamp with time zone default clock_timestamp() not null,
  closed_at timestamp with time zone,
  posted_debits bigint default 0 not null,
  posted_credits bigint default 0 not null,
  pending_debits bigint default 0 not null,
  pending_credits bigint default 0 not null,
  version bigint default 0 not null,
  last_booked_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  revision bigint default 1 not null,
  owner text,
  constraint accounts_asset_check CHECK ((asset ~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'::text)),
  constraint accounts_code_check CHECK (((length(code) >= 1) AND (length(code) <= 200))),
  constraint accounts_limit_holds CHECK (
CASE limit_rule
    WHEN 'debits_must_not_exceed_credits'::text THEN (pending_debits <= (posted_credits - posted_debits))
    WHEN 'credits_must_not_exceed_debits'::text THEN (pending_credits <= (posted_debits - posted_credits))
    ELSE true
END),
  constraint accounts_limit_rule_check CHECK ((limit_rule = ANY (ARRAY['none'::text, 'debits_must_not_exceed_credits'::text, 'credits_must_not_exceed_debits'::text]))),
  constraint accounts_normal_balance_check CHECK ((normal_balance = ANY (ARRAY['debit'::text, 'credit'::text]))),
  constraint accounts_owner_check CHECK ((owner ~ '^[a-z][a-z0-9_.-]{0,62}$'::text)),
  constraint accounts_pending_credits_check CHECK ((pending_credits >= 0)),
  constraint accounts_pending_debits_check CHECK ((pending_debits >= 0)),
  constraint accounts_pkey PRIMARY KEY (tenant_id, id),
  constraint accounts_posted_credits_check CHECK ((posted_credits >= 0)),
  constraint accounts_posted_debits_check CHECK ((posted_debits >= 0)),
  constraint accounts_revision_check CHECK ((revision > 0)),
  constraint accounts_tenant_id_code_key UNIQUE (tenant_id, code),
  constraint accounts_totals_fit CHECK (((pending_debits <= ('9223372036854775807'::bigint - posted_debits)) AND (pending_credits <= ('9223372036854775807'::bigint - posted_credits)))),
  constraint accounts_version_check CHECK ((version >= 0))
) with (fillfactor=50);
alter table ledger.accounts owner to holdfast_owner;
alter table ledger.accounts enable row level security;
alter table ledger.accounts force row level security;
create policy tenant_access on ledger.accounts as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.accounts as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE TRIGGER owned_insert BEFORE INSERT ON ledger.accounts FOR EACH ROW WHEN ((((new.owner IS NOT NULL) OR (substr((new.id)::text, 15, 1) = '8'::text)) AND (CURRENT_USER = 'holdfast_app'::name))) EXECUTE FUNCTION ledger.keep_owned();
CREATE TRIGGER owned_update BEFORE UPDATE OF closed_at, metadata ON ledger.accounts FOR EACH ROW WHEN (((old.owner IS NOT NULL) AND (CURRENT_USER = 'holdfast_app'::name))) EXECUTE FUNCTION ledger.keep_owned();
CREATE TRIGGER recorded_delete AFTER DELETE ON ledger.accounts REFERENCING OLD TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_changes();
CREATE TRIGGER recorded_insert AFTER INSERT ON ledger.accounts REFERENCING NEW TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_changes();
CREATE TRIGGER recorded_update AFTER UPDATE ON ledger.accounts REFERENCING NEW TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_changes();

create table ledger.books (
  tenant_id uuid not null,
  closed_through date,
  revision bigint default 1 not null,
  constraint books_pkey PRIMARY KEY (tenant_id),
  constraint books_revision_check CHECK ((revision > 0))
);
alter table ledger.books owner to holdfast_owner;
alter table ledger.books enable row level security;
alter table ledger.books force row level security;
create policy tenant_access on ledger.books as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.books as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON ledger.books DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON ledger.books DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (new.closed_through IS NOT NULL))) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON ledger.books DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();

create table ledger.breaks (
  tenant_id uuid not null,
  id uuid not null,
  rule text not null,
  relation text not null,
  row_id text not null,
  expected text not null,
  found_at timestamp with time zone default clock_timestamp() not null,
  last_seen_at timestamp with time zone default clock_timestamp() not null,
  constraint breaks_pkey PRIMARY KEY (tenant_id, id),
  constraint breaks_tenant_id_rule_relation_row_id_key UNIQUE (tenant_id, rule, relation, row_id)
);
alter table ledger.breaks owner to holdfast_owner;
alter table ledger.breaks enable row level security;
alter table ledger.breaks force row level security;
create policy holdfast_relay_reads on ledger.breaks as permissive for select to holdfast_relay using (true);
create policy tenant_access on ledger.breaks as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.breaks as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table ledger.controls (
  tenant_id uuid not null,
  verified_through timestamp with time zone default '-infinity'::timestamp with time zone not null,
  verified_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null,
  tick bigint default 0 not null,
  full_due_at timestamp with time zone default clock_timestamp() not null,
  full_progress jsonb,
  holder uuid,
  lease_until timestamp with time zone,
  constraint controls_pkey PRIMARY KEY (tenant_id)
);
alter table ledger.controls owner to holdfast_owner;
alter table ledger.controls enable row level security;
alter table ledger.controls force row level security;
create policy holdfast_relay_reads on ledger.controls as permissive for select to holdfast_relay using (true);
create policy tenant_access on ledger.controls as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.controls as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table ledger.keys (
  tenant_id uuid not null,
  idempotency_key uuid not null,
  transfer_id uuid not null,
  id_given boolean not null,
  fingerprint bytea not null,
  attempted_at timestamp with time zone default clock_timestamp() not null,
  constraint keys_fingerprint_check CHECK ((length(fingerprint) = 32)),
  constraint keys_pkey PRIMARY KEY (tenant_id, idempotency_key)
);
alter table ledger.keys owner to holdfast_owner;
alter table ledger.keys enable row level security;
alter table ledger.keys force row level security;
create policy tenant_access on ledger.keys as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.keys as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table ledger.timeouts (
  tenant_id uuid not null,
  hold_id uuid not null,
  expires_at timestamp with time zone not null,
  constraint timeouts_pkey PRIMARY KEY (tenant_id, hold_id)
);
alter table ledger.timeouts owner to holdfast_owner;
CREATE INDEX timeouts_tenant_id_expires_at_idx ON ledger.timeouts USING btree (tenant_id, expires_at);
alter table ledger.timeouts enable row level security;
alter table ledger.timeouts force row level security;
create policy holdfast_relay_reads on ledger.timeouts as permissive for select to holdfast_relay using (true);
create policy tenant_access on ledger.timeouts as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.timeouts as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table ledger.transfers (
  tenant_id uuid not null,
  id uuid not null,
  debit_account_id uuid,
  credit_account_id uuid,
  amount bigint,
  debit_version bigint,
  credit_version bigint,
  debit_account_debits bigint,
  debit_account_credits bigint,
  credit_account_debits bigint,
  credit_account_credits bigint,
  booked_at timestamp with time zone,
  asset text,
  metadata jsonb not null,
  kind text default 'transfer'::text not null,
  target_id uuid,
  refusal text,
  actor text,
  terms jsonb,
  effective_date date,
  expires_at timestamp with time zone,
  debit_account_held_debits bigint,
  debit_account_held_credits bigint,
  credit_account_held_debits bigint,
  credit_account_held_credits bigint,
  constraint transfers_amount_check CHECK ((amount > 0)),
  constraint transfers_credit_account_debits_check CHECK ((credit_account_debits >= 0)),
  constraint transfers_credit_account_held_credits_check CHECK ((credit_account_held_credits > 0)),
  constraint transfers_credit_account_held_debits_check CHECK ((credit_account_held_debits > 0)),
  constraint transfers_credit_version_check CHECK ((credit_version > 0)),
  constraint transfers_debit_account_credits_check CHECK ((debit_account_credits >= 0)),
  constraint transfers_debit_account_held_credits_check CHECK ((debit_account_held_credits > 0)),
  constraint transfers_debit_account_held_debits_check CHECK ((debit_account_held_debits > 0)),
  constraint transfers_debit_version_check CHECK ((debit_version > 0)),
  constraint transfers_effect_is_whole CHECK (((refusal IS NOT NULL) OR (((debit_account_id <> credit_account_id) AND (amount > 0) AND (debit_version > 0) AND (credit_version > 0) AND (debit_account_debits >= 0) AND (debit_account_credits >= 0) AND (credit_account_debits >= 0) AND (credit_account_credits >= 0) AND (booked_at IS NOT NULL) AND (effective_date IS NOT NULL) AND (asset IS NOT NULL)) IS TRUE))),
  constraint transfers_follower_has_target CHECK (((target_id IS NOT NULL) = (kind = ANY (ARRAY['post'::text, 'void'::text, 'expiry'::text, 'reversal'::text])))),
  constraint transfers_hold_expires CHECK (((expires_at IS NULL) OR (kind = 'hold'::text))),
  constraint transfers_kind_check CHECK ((kind = ANY (ARRAY['transfer'::text, 'hold'::text, 'post'::text, 'void'::text, 'expiry'::text, 'reversal'::text]))),
  constraint transfers_moved_counts CHECK (((refusal IS NOT NULL) OR (kind <> ALL (ARRAY['transfer'::text, 'post'::text, 'reversal'::text])) OR ((debit_account_debits >= amount) AND (credit_account_credits >= amount)))),
  constraint transfers_pkey PRIMARY KEY (tenant_id, id),
  constraint transfers_refusal_has_no_effect CHECK (((refusal IS NULL) OR ((actor IS NOT NULL) AND (debit_version IS NULL) AND (credit_version IS NULL) AND (booked_at IS NULL))))
);
alter table ledger.transfers owner to holdfast_owner;
CREATE INDEX transfers_tenant_id_booked_at_idx ON ledger.transfers USING btree (tenant_id, booked_at) WHERE (refusal IS NULL);
CREATE UNIQUE INDEX transfers_tenant_id_credit_account_id_credit_version_key ON ledger.transfers USING btree (tenant_id, credit_account_id, credit_version) WHERE (refusal IS NULL);
CREATE UNIQUE INDEX transfers_tenant_id_debit_account_id_debit_version_key ON ledger.transfers USING btree (tenant_id, debit_account_id, debit_version) WHERE (refusal IS NULL);
CREATE UNIQUE INDEX transfers_tenant_id_target_id_key ON ledger.transfers USING btree (tenant_id, target_id) WHERE ((target_id IS NOT NULL) AND (refusal IS NULL));
alter table ledger.transfers enable row level security;
alter table ledger.transfers force row level security;
create policy tenant_access on ledger.transfers as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on ledger.transfers as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE TRIGGER recorded_delete AFTER DELETE ON ledger.transfers REFERENCING OLD TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_transfers();
CREATE TRIGGER recorded_insert AFTER INSERT ON ledger.transfers REFERENCING NEW TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_transfers();
CREATE TRIGGER recorded_update AFTER UPDATE ON ledger.transfers REFERENCING NEW TABLE AS changed FOR EACH STATEMENT WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.note_transfers();

create table payments.clearings (
  tenant_id uuid not null,
  counterparty_id uuid not null,
  asset text not null,
  account_id uuid not null,
  net bigint default 0 not null,
  constraint clearings_pkey PRIMARY KEY (tenant_id, counterparty_id, asset)
);
alter table payments.clearings owner to holdfast_owner;
alter table payments.clearings enable row level security;
alter table payments.clearings force row level security;
create policy holdfast_relay_reads on payments.clearings as permissive for select to holdfast_relay using (true);
create policy tenant_access on payments.clearings as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on payments.clearings as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON payments.clearings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON payments.clearings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON payments.clearings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER kept AFTER INSERT OR UPDATE ON payments.clearings FOR EACH ROW WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION tenancy.require_system('payments');

create table payments.payments (
  tenant_id uuid not null,
  id uuid not null,
  direction text not null,
  counterparty_id uuid not null,
  account_id uuid not null,
  counterparty_account_id uuid,
  amount bigint not null,
  asset text not null,
  status text default 'pending'::text not null,
  side text,
  hold_id uuid,
  posted_at timestamp with time zone,
  reason text,
  created_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  version bigint default 1 not null,
  constraint payments_amount_check CHECK ((amount > 0)),
  constraint payments_check CHECK ((counterparty_id <> tenant_id)),
  constraint payments_check1 CHECK (((counterparty_account_id IS NULL) = (direction = 'incoming'::text))),
  constraint payments_check2 CHECK (((side IS NULL) = (hold_id IS NULL))),
  constraint payments_check3 CHECK (((ended_at IS NULL) = (status = 'pending'::text))),
  constraint payments_check4 CHECK (((status <> 'completed'::text) OR (posted_at IS NOT NULL))),
  constraint payments_direction_check CHECK ((direction = ANY (ARRAY['outgoing'::text, 'incoming'::text]))),
  constraint payments_pkey PRIMARY KEY (tenant_id, id),
  constraint payments_side_check CHECK ((side = ANY (ARRAY['debit'::text, 'credit'::text]))),
  constraint payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'completed'::text, 'failed'::text, 'compensated'::text])))
);
alter table payments.payments owner to holdfast_owner;
CREATE INDEX payments_in_flight_idx ON payments.payments USING btree (tenant_id, counterparty_id, asset) WHERE ((direction = 'outgoing'::text) AND (status = 'pending'::text) AND (posted_at IS NOT NULL));
CREATE INDEX payments_tenant_id_counterparty_id_id_idx ON payments.payments USING btree (tenant_id, counterparty_id, id);
CREATE INDEX payments_tenant_id_status_id_idx ON payments.payments USING btree (tenant_id, status, id) WHERE (status <> 'completed'::text);
alter table payments.payments enable row level security;
alter table payments.payments force row level security;
create policy holdfast_relay_reads on payments.payments as permissive for select to holdfast_relay using (true);
create policy tenant_access on payments.payments as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on payments.payments as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON payments.payments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON payments.payments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.require_event('tenant_id', 'payments.payment');
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON payments.payments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER kept_insert BEFORE INSERT ON payments.payments FOR EACH ROW WHEN (((CURRENT_USER = 'holdfast_app'::name) AND (((new.direction <> 'outgoing'::text) OR (new.status <> 'pending'::text) OR ((new.hold_id IS NULL) <> true) OR ((new.posted_at IS NULL) <> true) OR ((new.reason IS NULL) <> true) OR (new.version <> 1)) OR ((new.created_at < (transaction_timestamp() - '00:01:00'::interval)) OR (new.created_at > (clock_timestamp() + '00:01:00'::interval))) OR (new.asset !~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'::text)))) EXECUTE FUNCTION tenancy.require_system('payments');
CREATE TRIGGER kept_update BEFORE UPDATE ON payments.payments FOR EACH STATEMENT WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION tenancy.require_system('payments');

create table sagas.participations (
  tenant_id uuid not null,
  id uuid not null,
  saga_id uuid not null,
  name text not null,
  step text not null,
  state text not null,
  result jsonb,
  version bigint default 1 not null,
  owner_key uuid,
  constraint participations_pkey PRIMARY KEY (tenant_id, id),
  constraint participations_state_check CHECK ((state = ANY (ARRAY['completed'::text, 'compensated'::text, 'cancelled'::text])))
);
alter table sagas.participations owner to holdfast_owner;
alter table sagas.participations enable row level security;
alter table sagas.participations force row level security;
create policy tenant_access on sagas.participations as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on sagas.participations as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON sagas.participations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON sagas.participations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON sagas.participations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER kept BEFORE INSERT OR UPDATE ON sagas.participations FOR EACH ROW WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION sagas.keep_module();

create table sagas.sagas (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  hash text not null,
  state text default 'running'::text not null,
  backward boolean default false not null,
  place integer default 0 not null,
  intended boolean default false not null,
  input jsonb not null,
  results jsonb default '{}'::jsonb not null,
  reason text,
  last_error text,
  attempts integer default 0 not null,
  cancel_requested boolean default false not null,
  due_at timestamp with time zone default clock_timestamp(),
  lease_until timestamp with time zone,
  fence bigint default 0 not null,
  step_deadline_at timestamp with time zone,
  deadline_at timestamp with time zone not null,
  awaits_stream_type text,
  awaits_stream_id uuid,
  awaits_type text,
  correlation_id text not null,
  traceparent text,
  started_by text not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  version bigint default 1 not null,
  constraint sagas_check CHECK (((ended_at IS NULL) = (state = ANY (ARRAY['running'::text, 'compensating'::text, 'needs_operator'::text])))),
  constraint sagas_check1 CHECK (((due_at IS NULL) = (state <> ALL (ARRAY['running'::text, 'compensating'::text])))),
  constraint sagas_pkey PRIMARY KEY (tenant_id, id),
  constraint sagas_state_check CHECK ((state = ANY (ARRAY['running'::text, 'compensating'::text, 'needs_operator'::text, 'completed'::text, 'compensated'::text])))
) with (fillfactor=50);
alter table sagas.sagas owner to holdfast_owner;
CREATE INDEX sagas_awaits_idx ON sagas.sagas USING btree (tenant_id, awaits_stream_type, awaits_stream_id) WHERE (awaits_type IS NOT NULL);
CREATE INDEX sagas_name_hash_due_at_idx ON sagas.sagas USING btree (name, hash, due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX sagas_open_idx ON sagas.sagas USING btree (name, state) WHERE (ended_at IS NULL);
CREATE INDEX sagas_tenant_id_compensated_idx ON sagas.sagas USING btree (tenant_id, id) WHERE (state = 'compensated'::text);
CREATE INDEX sagas_tenant_id_name_id_idx ON sagas.sagas USING btree (tenant_id, name, id);
CREATE INDEX sagas_tenant_id_open_idx ON sagas.sagas USING btree (tenant_id, id) WHERE (ended_at IS NULL);
alter table sagas.sagas enable row level security;
alter table sagas.sagas force row level security;
create policy holdfast_ops_reads on sagas.sagas as permissive for select to holdfast_ops using (true);
create policy holdfast_relay_reads on sagas.sagas as permissive for select to holdfast_relay using (true);
create policy tenant_access on sagas.sagas as permissive for all to holdfast_app, holdfast_owner using (true) with check (true);
create policy tenant_isolation on sagas.sagas as restrictive for all to holdfast_app, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON sagas.sagas DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON sagas.sagas DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text))) EXECUTE FUNCTION tenancy.require_event('tenant_id', 'sagas.saga');
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON sagas.sagas DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (((((((new.state IS DISTINCT FROM old.state) OR (new.backward IS DISTINCT FROM old.backward)) OR (new.place IS DISTINCT FROM old.place)) OR (new.cancel_requested IS DISTINCT FROM old.cancel_requested)) OR (new.results IS DISTINCT FROM old.results)) OR (new.reason IS DISTINCT FROM old.reason)) OR (new.version IS DISTINCT FROM old.version)))) EXECUTE FUNCTION tenancy.require_event('tenant_id', 'sagas.saga');
CREATE TRIGGER kept_input BEFORE UPDATE OF input ON sagas.sagas FOR EACH ROW WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION sagas.keep_module();
CREATE TRIGGER kept_insert AFTER INSERT ON sagas.sagas REFERENCING NEW TABLE AS begun FOR EACH STATEMENT WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION sagas.keep_beginnings();
CREATE TRIGGER kept_payment BEFORE INSERT ON sagas.sagas FOR EACH ROW WHEN (((new.name = ANY (ARRAY['payments.payment'::text, 'payments.bank_payment'::text])) AND (CURRENT_USER = 'holdfast_app'::name))) EXECUTE FUNCTION payments.keep_input();
CREATE TRIGGER kept_update AFTER UPDATE ON sagas.sagas REFERENCING OLD TABLE AS were NEW TABLE AS moved FOR EACH STATEMENT WHEN ((CURRENT_USER = 'holdfast_app'::name)) EXECUTE FUNCTION sagas.keep_places();

create table telemetry.write_keys (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  revoked_at timestamp with time zone,
  version bigint default 1 not null,
  constraint write_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint write_keys_pkey PRIMARY KEY (tenant_id, id),
  constraint write_keys_version_check CHECK ((version >= 1))
);
alter table telemetry.write_keys owner to holdfast_owner;
CREATE INDEX write_keys_tenant_id_revoked_idx ON telemetry.write_keys USING btree (tenant_id, id) WHERE (revoked_at IS NOT NULL);
alter table telemetry.write_keys enable row level security;
alter table telemetry.write_keys force row level security;
create policy holdfast_auth_reads on telemetry.write_keys as permissive for select to holdfast_auth using (true);
create policy tenant_access on telemetry.write_keys as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on telemetry.write_keys as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON telemetry.write_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON telemetry.write_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON telemetry.write_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON telemetry.write_keys FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table tenancy.changes (
  tenant uuid not null,
  change text not null
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
alter table tenancy.changes owner to holdfast_owner;
CREATE CONSTRAINT TRIGGER recorded AFTER INSERT ON tenancy.changes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tenancy.require_event_of_statement();

create table tenancy.exemptions (
  rule integer not null,
  object text not null,
  reason text not null,
  owner text not null,
  expires_at timestamp with time zone,
  constraint exemptions_pkey PRIMARY KEY (rule, object),
  constraint exemptions_reason_check CHECK ((length(reason) > 10))
);
alter table tenancy.exemptions owner to holdfast_owner;

create table tenancy.not_exported (
  relation text not null,
  reason text not null,
  constraint not_exported_pkey PRIMARY KEY (relation),
  constraint not_exported_reason_check CHECK ((length(reason) > 10))
);
alter table tenancy.not_exported owner to holdfast_owner;

create table tenancy.signing_keys (
  id text not null,
  secret bytea not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  retired_at timestamp with time zone,
  constraint signing_keys_id_check CHECK ((id ~ '^[0-9]{4}$'::text)),
  constraint signing_keys_pkey PRIMARY KEY (id),
  constraint signing_keys_secret_check CHECK ((length(secret) = 32))
);
alter table tenancy.signing_keys owner to holdfast_owner;
CREATE UNIQUE INDEX signing_keys_one_signs ON tenancy.signing_keys USING btree ((true)) WHERE (retired_at IS NULL);

create table tenants.erasure_receipts (
  erased_id uuid not null,
  erased_at timestamp with time zone default clock_timestamp() not null,
  receipt text not null,
  verified_by jsonb not null,
  constraint erasure_receipts_pkey PRIMARY KEY (erased_id)
);
alter table tenants.erasure_receipts owner to holdfast_owner;

create table tenants.export_chunks (
  tenant_id uuid not null,
  export_id uuid not null,
  file text not null,
  part integer not null,
  row_count integer not null,
  body bytea not null,
  constraint export_chunks_pkey PRIMARY KEY (tenant_id, export_id, file, part),
  constraint export_chunks_tenant_id_export_id_fkey FOREIGN KEY (tenant_id, export_id) REFERENCES tenants.exports(tenant_id, id)
);
alter table tenants.export_chunks owner to holdfast_owner;
alter table tenants.export_chunks enable row level security;
alter table tenants.export_chunks force row level security;
create policy tenant_access on tenants.export_chunks as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on tenants.export_chunks as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table tenants.exports (
  tenant_id uuid not null,
  id uuid not null,
  status text default 'queued'::text not null,
  requested_by text not null,
  requested_at timestamp with time zone default clock_timestamp() not null,
  completed_at timestamp with time zone,
  expires_at timestamp with time zone,
  rows_done bigint default 0 not null,
  rows_total bigint,
  byte_count bigint default 0 not null,
  manifest jsonb,
  constraint exports_pkey PRIMARY KEY (tenant_id, id),
  constraint exports_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'completed'::text, 'failed'::text, 'expired'::text])))
);
alter table tenants.exports owner to holdfast_owner;
alter table tenants.exports enable row level security;
alter table tenants.exports force row level security;
create policy tenant_access on tenants.exports as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on tenants.exports as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON tenants.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON tenants.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON tenants.exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (((to_jsonb(old.*) - '{rows_done,rows_total,byte_count,status}'::text[]) IS DISTINCT FROM (to_jsonb(new.*) - '{rows_done,rows_total,byte_count,status}'::text[])) OR ((new.status <> old.status) AND (new.status <> 'running'::text))))) EXECUTE FUNCTION tenancy.require_event();

create table tenants.tasks (
  tenant_id uuid not null,
  kind text not null,
  id uuid not null,
  due_at timestamp with time zone default clock_timestamp() not null,
  holder text,
  lease_until timestamp with time zone,
  attempts integer default 0 not null,
  last_error text,
  progress jsonb default '{}'::jsonb not null,
  constraint tasks_kind_check CHECK ((kind ~ '^[a-z]+(-[a-z]+)*$'::text)),
  constraint tasks_pkey PRIMARY KEY (tenant_id, kind, id)
);
alter table tenants.tasks owner to holdfast_owner;
CREATE INDEX tasks_due_at_idx ON tenants.tasks USING btree (due_at);
alter table tenants.tasks enable row level security;
alter table tenants.tasks force row level security;
create policy holdfast_relay_reads on tenants.tasks as permissive for select to holdfast_relay using (true);
create policy tenant_access on tenants.tasks as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on tenants.tasks as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table tenants.tenants (
  tenant_id uuid not null,
  slug text not null,
  name text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  version bigint default 1 not null,
  settings jsonb default '{}'::jsonb not null,
  state_reason text,
  erase_requested_at timestamp with time zone,
  erase_after timestamp with time zone,
  erase_postponed text,
  import_sha256 text,
  imported_at timestamp with time zone,
  constraint tenants_erase_postponed_check CHECK (((length(erase_postponed) >= 1) AND (length(erase_postponed) <= 500))),
  constraint tenants_import_sha256_check CHECK ((import_sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint tenants_pkey PRIMARY KEY (tenant_id),
  constraint tenants_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
  constraint tenants_slug_check CHECK ((slug ~ '^[a-z][a-z0-9-]{1,62}$'::text)),
  constraint tenants_slug_key UNIQUE (slug),
  constraint tenants_state_reason_check CHECK (((length(state_reason) >= 1) AND (length(state_reason) <= 500))),
  constraint tenants_version_check CHECK ((version >= 1))
);
alter table tenants.tenants owner to holdfast_owner;
alter table tenants.tenants enable row level security;
alter table tenants.tenants force row level security;
create policy holdfast_ops_reads on tenants.tenants as permissive for select to holdfast_ops using (true);
create policy tenant_access on tenants.tenants as permissive for all to holdfast_app, holdfast_owner using (true) with check (true);
create policy tenant_isolation on tenants.tenants as restrictive for all to holdfast_app, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON tenants.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON tenants.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON tenants.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND ((to_jsonb(old.*) - 'erase_postponed'::text) IS DISTINCT FROM (to_jsonb(new.*) - 'erase_postponed'::text)))) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER record_slug AFTER INSERT OR DELETE OR UPDATE OF slug ON tenants.tenants FOR EACH ROW EXECUTE FUNCTION auth.record_slug();

create table tenants.usage_counts (
  tenant_id uuid not null,
  used_on date not null,
  event_type text not null,
  event_count bigint not null,
  constraint usage_counts_event_count_check CHECK ((event_count > 0)),
  constraint usage_counts_pkey PRIMARY KEY (tenant_id, used_on, event_type)
);
alter table tenants.usage_counts owner to holdfast_owner;
alter table tenants.usage_counts enable row level security;
alter table tenants.usage_counts force row level security;
create policy tenant_access on tenants.usage_counts as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on tenants.usage_counts as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table webhooks.attempts (
  tenant_id uuid not null,
  delivery_id uuid not null,
  number integer not null,
  started_at timestamp with time zone not null,
  outcome text not null,
  status integer,
  latency_ms integer not null,
  url text not null,
  request_headers jsonb not null,
  response_headers jsonb,
  response_body text,
  constraint attempts_latency_ms_check CHECK ((latency_ms >= 0)),
  constraint attempts_outcome_check CHECK (((length(outcome) >= 1) AND (length(outcome) <= 64))),
  constraint attempts_pkey PRIMARY KEY (tenant_id, delivery_id, number),
  constraint attempts_tenant_id_delivery_id_fkey FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhooks.deliveries(tenant_id, id) ON DELETE CASCADE
);
alter table webhooks.attempts owner to holdfast_owner;
alter table webhooks.attempts enable row level security;
alter table webhooks.attempts force row level security;
create policy tenant_access on webhooks.attempts as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on webhooks.attempts as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table webhooks.deliveries (
  tenant_id uuid not null,
  id uuid not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  event_type text not null,
  stream text not null,
  seq bigint not null,
  test_body jsonb,
  status text not null,
  attempt_count integer default 0 not null,
  step integer default 0 not null,
  due_at timestamp with time zone default clock_timestamp() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  completed_at timestamp with time zone,
  constraint deliveries_pkey PRIMARY KEY (tenant_id, id),
  constraint deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'canceled'::text]))),
  constraint deliveries_tenant_id_endpoint_id_event_id_key UNIQUE (tenant_id, endpoint_id, event_id),
  constraint deliveries_tenant_id_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhooks.endpoints(tenant_id, id)
);
alter table webhooks.deliveries owner to holdfast_owner;
CREATE INDEX deliveries_tenant_id_endpoint_id_created_at_idx ON webhooks.deliveries USING btree (tenant_id, endpoint_id, created_at, id);
CREATE INDEX deliveries_tenant_id_failed_idx ON webhooks.deliveries USING btree (tenant_id, endpoint_id, created_at, id) WHERE (status = 'failed'::text);
CREATE INDEX deliveries_tenant_id_lane_idx ON webhooks.deliveries USING btree (tenant_id, endpoint_id, stream, seq, id) WHERE (status = 'pending'::text);
alter table webhooks.deliveries enable row level security;
alter table webhooks.deliveries force row level security;
create policy tenant_access on webhooks.deliveries as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on webhooks.deliveries as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table webhooks.endpoints (
  tenant_id uuid not null,
  id uuid not null,
  url text not null,
  description text default ''::text not null,
  event_types text[] not null,
  signing text not null,
  disabled_at timestamp with time zone,
  disabled_reason text,
  receives_from timestamp with time zone default clock_timestamp() not null,
  failing_since timestamp with time zone,
  removed_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  version bigint default 1 not null,
  constraint endpoints_check CHECK ((num_nonnulls(disabled_at, disabled_reason) = ANY (ARRAY[0, 2]))),
  constraint endpoints_description_check CHECK ((length(description) <= 500)),
  constraint endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['tenant'::text, 'gone'::text, 'failing'::text]))),
  constraint endpoints_event_types_check CHECK (((cardinality(event_types) >= 1) AND (cardinality(event_types) <= 50))),
  constraint endpoints_pkey PRIMARY KEY (tenant_id, id),
  constraint endpoints_signing_check CHECK ((signing = ANY (ARRAY['hmac-sha256'::text, 'ed25519'::text]))),
  constraint endpoints_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2000))),
  constraint endpoints_version_check CHECK ((version >= 1))
);
alter table webhooks.endpoints owner to holdfast_owner;
alter table webhooks.endpoints enable row level security;
alter table webhooks.endpoints force row level security;
create policy holdfast_relay_reads on webhooks.endpoints as permissive for select to holdfast_relay using (true);
create policy tenant_access on webhooks.endpoints as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on webhooks.endpoints as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_delete AFTER DELETE ON webhooks.endpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (old.removed_at IS NULL))) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON webhooks.endpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON webhooks.endpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND ((to_jsonb(old.*) - 'failing_since'::text) IS DISTINCT FROM (to_jsonb(new.*) - 'failing_since'::text)))) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT OR UPDATE OF url ON webhooks.endpoints FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

create table webhooks.lanes (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  stream text not null,
  due_at timestamp with time zone not null,
  holder uuid,
  constraint lanes_pkey PRIMARY KEY (tenant_id, endpoint_id, stream),
  constraint lanes_tenant_id_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhooks.endpoints(tenant_id, id)
) with (fillfactor=70);
alter table webhooks.lanes owner to holdfast_owner;
CREATE INDEX lanes_tenant_id_due_at_idx ON webhooks.lanes USING btree (tenant_id, due_at);
CREATE INDEX lanes_tenant_id_endpoint_id_due_at_idx ON webhooks.lanes USING btree (tenant_id, endpoint_id, due_at);
CREATE INDEX lanes_tenant_id_held_idx ON webhooks.lanes USING btree (tenant_id, endpoint_id) WHERE (holder IS NOT NULL);
alter table webhooks.lanes enable row level security;
alter table webhooks.lanes force row level security;
create policy holdfast_relay_reads on webhooks.lanes as permissive for select to holdfast_relay using (true);
create policy tenant_access on webhooks.lanes as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on webhooks.lanes as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));

create table webhooks.secrets (
  tenant_id uuid not null,
  id uuid not null,
  endpoint_id uuid not null,
  scheme text not null,
  sealed bytea not null,
  key_id text not null,
  public_key text,
  created_at timestamp with time zone default clock_timestamp() not null,
  ends_at timestamp with time zone,
  constraint secrets_check CHECK (((scheme = 'ed25519'::text) = (public_key IS NOT NULL))),
  constraint secrets_key_id_check CHECK (((length(key_id) >= 1) AND (length(key_id) <= 64))),
  constraint secrets_pkey PRIMARY KEY (tenant_id, id),
  constraint secrets_scheme_check CHECK ((scheme = ANY (ARRAY['hmac-sha256'::text, 'ed25519'::text]))),
  constraint secrets_sealed_check CHECK (((length(sealed) >= 52) AND (length(sealed) <= 92))),
  constraint secrets_tenant_id_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhooks.endpoints(tenant_id, id)
);
alter table webhooks.secrets owner to holdfast_owner;
CREATE INDEX secrets_tenant_id_endpoint_id_idx ON webhooks.secrets USING btree (tenant_id, endpoint_id);
CREATE UNIQUE INDEX secrets_tenant_id_newest_idx ON webhooks.secrets USING btree (tenant_id, endpoint_id) WHERE (ends_at IS NULL);
alter table webhooks.secrets enable row level security;
alter table webhooks.secrets force row level security;
create policy tenant_access on webhooks.secrets as permissive for all to holdfast_app, holdfast_ops, holdfast_owner using (true) with check (true);
create policy tenant_isolation on webhooks.secrets as restrictive for all to holdfast_app, holdfast_ops, holdfast_owner using ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))) with check ((tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id)));
CREATE CONSTRAINT TRIGGER recorded_insert AFTER INSERT ON webhooks.secrets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND true)) EXECUTE FUNCTION tenancy.require_event();
CREATE CONSTRAINT TRIGGER recorded_update AFTER UPDATE ON webhooks.secrets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((CURRENT_USER <> 'holdfast_owner'::name) AND (current_setting('is_superuser'::text) = 'off'::text) AND (new.ends_at IS DISTINCT FROM old.ends_at))) EXECUTE FUNCTION tenancy.require_event();
CREATE TRIGGER refuse_lasting BEFORE INSERT ON webhooks.secrets FOR EACH ROW EXECUTE FUNCTION auth.refuse_lasting();

-- Functions

CREATE OR REPLACE FUNCTION audit.instant_text(instant timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select case
    when instant >= '0001-01-01Z' and instant < '10000-01-01Z' then to_char(instant, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    else instant::text
  end
$function$;
alter function audit.instant_text(timestamp with time zone) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION audit.require_erasure()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$;
alter function audit.require_erasure() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION audit.require_rewrap()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$;
alter function audit.require_rewrap() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.end_membership(member_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  had text[];
begin
  select m.scopes into had from auth.memberships m
  where m.tenant_id = tenancy.tenant_id() and m.member_id = $1
  for update;
  perform auth.require_held(coalesce(had, '{}'));
  delete from auth.memberships m where m.tenant_id = tenancy.tenant_id() and m.member_id = $1;
  perform auth.note_revocation();
end $function$;
alter function auth.end_membership(uuid) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.grant_for_key(secret text)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select auth.mint_for_key(secret, false)
$function$;
alter function auth.grant_for_key(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.grant_for_member(issuer text, subject text, tenant uuid)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select auth.mint_for_member(issuer, subject, tenant, false)
$function$;
alter function auth.grant_for_member(text,text,uuid) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.grant_for_system(consumer text, tenant uuid, cause text, act text DEFAULT ''::text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if consumer is null or consumer !~ '^[a-z][a-z0-9_.-]{0,62}$' then
    raise exception 'a system grant needs the name of its consumer' using errcode = 'HF002';
  end if;
  if consumer <> 'eraser' then
    perform auth.refuse_closed(tenant, true);
  end if;
  if consumer = 'payments' and not exists (select from auth.tenants t where t.id = tenant) then
    raise exception 'there is no such tenant' using errcode = 'HF005';
  end if;
  return tenancy.mint(tenant, 'system:' || consumer, array['*'], clock_timestamp() + interval '5 minutes', cause, act);
end $function$;
alter function auth.grant_for_system(text,uuid,text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.mint_for_key(secret text, settling boolean)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  c auth.credentials;
  of_member text[];
  posts boolean;
begin
  select * into c from auth.credentials k
  where k.secret_hash = sha256(convert_to(secret, 'utf8'))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp());
  if not found then
    return null;
  end if;
  if c.actor like 'member:%' then
    select m.scopes into of_member from auth.memberships m
    where m.tenant_id = c.tenant_id and m.member_id = substr(c.actor, 8)::uuid;
    if not found then
      return null;
    end if;
    if not '*' = any (of_member) then
      c.scopes := array(select scope from unnest(c.scopes) scope where scope = any (of_member));
    end if;
  end if;
  posts := c.scopes && array['*', 'ledger:write'];
  perform auth.refuse_closed(c.tenant_id, settling and posts);
  return tenancy.mint(c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id),
    case when not settling then c.scopes when posts then array['ledger:settle'] else '{}' end,
    least(clock_timestamp() + interval '5 minutes', c.expires_at), '', c.act);
end $function$;
alter function auth.mint_for_key(text,boolean) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.mint_for_member(issuer text, subject text, tenant uuid, settling boolean)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  m auth.memberships;
  posts boolean;
begin
  select * into m from auth.memberships s where s.issuer = $1 and s.subject = $2 and s.tenant_id = $3;
  if not found then
    return null;
  end if;
  posts := m.scopes && array['*', 'ledger:write'];
  perform auth.refuse_closed(m.tenant_id, settling and posts);
  return tenancy.mint(m.tenant_id, 'member:' || m.member_id,
    case when not settling then m.scopes when posts then array['ledger:settle'] else '{}' end,
    clock_timestamp() + interval '5 minutes');
end $function$;
alter function auth.mint_for_member(text,text,uuid,boolean) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.note_revocation()
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into auth.tenants as t (id, revocations) values (tenancy.tenant_id(), 1)
  on conflict (id) do update set revocations = t.revocations + 1
$function$;
alter function auth.note_revocation() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.open_support_access(access_id uuid, secret_hash bytea, scopes text[], minutes integer, member_id uuid, narrow boolean)
 RETURNS TABLE(ends_at timestamp with time zone, held text[])
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  act text := tenancy.act();
  of_member text[] := (
    select array_agg(distinct scope) from auth.memberships m cross join unnest(m.scopes) scope
    where m.tenant_id = tenant and m.member_id = $5);
begin
  if tenancy.actor() <> 'system:operator' or act is null then
    raise exception 'only an operator with a name opens a support access' using errcode = 'HF003';
  elsif minutes is null or minutes not between 1 and 30 then
    raise exception 'a support access lasts 30 minutes at most' using errcode = 'HF003';
  elsif member_id is not null and of_member is null then
    return;
  end if;
  held := case when narrow and not '*' = any (of_member)
    then array(select scope from unnest(scopes) scope where scope = any (of_member)) else scopes end;
  if cardinality(held) = 0 or held && array['*', 'operator', 'keys:write', 'members:write', 'roles:write', 'issuers:write', 'support:write',
       'webhooks:write', 'audit:write', 'personal:write']
     or not (member_id is null or '*' = any (of_member) or held <@ of_member) then
    raise exception 'a support access holds nothing that outlasts it, or that its member lacks' using errcode = 'HF003';
  end if;
  ends_at := clock_timestamp() + make_interval(mins => minutes);
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act, actor)
  values (secret_hash, tenant, access_id, held, ends_at, act,
    case when member_id is null then 'support:' || access_id else 'member:' || member_id end);
  return next;
end $function$;
alter function auth.open_support_access(uuid,bytea,text[],integer,uuid,boolean) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.own_tenant()
 RETURNS TABLE(state text, plan text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(t.state, 'active'), coalesce(t.plan, 'standard')
  from (select tenancy.tenant_id() as id) own
  left join auth.tenants t on t.id = own.id
$function$;
alter function auth.own_tenant() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.owners_of_keys(secret_hashes bytea[])
 RETURNS TABLE(secret_hash bytea, tenant_id uuid, actor text, act text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select c.secret_hash, c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id), c.act
  from auth.credentials c
  where c.secret_hash = any (secret_hashes)
  limit 1000
$function$;
alter function auth.owners_of_keys(bytea[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.record_slug()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tg_op = 'DELETE' then
    update auth.tenants t set slug = null where t.id = old.tenant_id;
  else
    insert into auth.tenants as t (id, slug) values (new.tenant_id, new.slug)
    on conflict (id) do update set slug = excluded.slug;
  end if;
  if tg_op <> 'INSERT' then
    perform auth.note_revocation();
  end if;
  return null;
end $function$;
alter function auth.record_slug() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.refuse_closed(tenant uuid, is_system boolean)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  state text := (select t.state from auth.tenants t where t.id = tenant);
begin
  if state in ('erasing', 'erased') then
    raise exception 'the tenant is gone' using errcode = 'HF005', detail = state;
  elsif state in ('suspended', 'closing') and not is_system then
    raise exception 'the tenant is suspended' using errcode = 'HF004';
  end if;
end $function$;
alter function auth.refuse_closed(uuid,boolean) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.refuse_lasting()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if coalesce(current_setting('holdfast.context', true), '') <> ''
     and tenancy.act() is not null and tenancy.actor() !~ '^(system:operator$|api_key:)' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end $function$;
alter function auth.refuse_lasting() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.register_receipt_key(public_key bytea, lifetime interval, process text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$;
alter function auth.register_receipt_key(bytea,interval,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.require_held(scopes text[])
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held text[] := tenancy.scopes();
begin
  if not ('*' = any (held) or scopes <@ held) then
    raise exception 'only who holds a permission may give or take it' using errcode = 'HF003';
  end if;
end $function$;
alter function auth.require_held(text[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.revocation_counter()
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(sum(t.revocations), 0)::bigint from auth.tenants t where t.revocations > 0
$function$;
alter function auth.revocation_counter() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.revoke_credential(api_key_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update auth.credentials c set revoked_at = clock_timestamp()
  where c.tenant_id = tenancy.tenant_id() and c.api_key_id = $1 and c.revoked_at is null;
  if not found then
    return false;
  end if;
  perform auth.note_revocation();
  return true;
end $function$;
alter function auth.revoke_credential(uuid) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.rotate_credential(api_key_id uuid, secret_hash bytea, overlap interval)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  held text[] := tenancy.scopes();
  newest auth.credentials;
  ends timestamptz;
begin
  if overlap is null or overlap not between interval '0' and interval '7 days' then
    raise exception 'two secrets of a key are good together for 7 days at most' using errcode = 'HF002';
  end if;
  -- What was made for somebody to act as somebody else (`actor`) lives out as it is.
  select * into newest from auth.credentials c
  where c.tenant_id = tenant and c.api_key_id = $1 and c.actor is null
    and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
  order by c.created_at desc
  limit 1;
  if not found then
    return null;
  end if;
  if tenancy.actor() = 'system:operator' or not ('*' = any (held) or newest.scopes <@ held) then
    raise exception 'a key cannot be rotated by somebody who holds less than it' using errcode = 'HF003';
  end if;
  ends := least(clock_timestamp() + overlap, newest.expires_at);
  update auth.credentials c
  set expires_at = case when c.secret_hash = newest.secret_hash then ends else least(clock_timestamp(), c.expires_at) end
  where c.tenant_id = tenant and c.api_key_id = $1 and c.revoked_at is null;
  -- A dead secret says whose it was to whoever records refusals; after a month that is no news.
  delete from auth.credentials c
  where c.tenant_id = tenant and c.api_key_id = $1 and c.expires_at < clock_timestamp() - interval '30 days';
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act)
  values (secret_hash, tenant, api_key_id, newest.scopes, newest.expires_at, tenancy.act());
  -- Processes forget the grants that they have cached for the old secret: those would outlive a short overlap.
  perform auth.note_revocation();
  return ends;
end $function$;
alter function auth.rotate_credential(uuid,bytea,interval) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.set_memberships(member_ids uuid[], scopes text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  had text[];
begin
  perform auth.require_held(scopes);
  for had in
    select m.scopes from auth.memberships m
    where m.tenant_id = tenancy.tenant_id() and m.member_id = any (member_ids)
    order by m.member_id
    for no key update
  loop
    perform auth.require_held(had);
  end loop;
  update auth.memberships m set scopes = $2
  where m.tenant_id = tenancy.tenant_id() and m.member_id = any (member_ids);
  perform auth.note_revocation();
end $function$;
alter function auth.set_memberships(uuid[],text[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.set_tenant(state text, plan text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tenancy.actor() not in ('system:operator', 'system:sign-up', 'system:eraser') then
    raise exception 'only the operator sets the state and plan of a tenant' using errcode = 'HF003';
  end if;
  insert into auth.tenants as t (id, state, plan)
  values (tenancy.tenant_id(), coalesce($1, 'active'), coalesce($2, 'standard'))
  on conflict (id) do update
    set state = coalesce($1, t.state), plan = coalesce($2, t.plan), changed_at = clock_timestamp();
  perform auth.note_revocation();
end $function$;
alter function auth.set_tenant(text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.settling_grant_for_key(secret text)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select auth.mint_for_key(secret, true)
$function$;
alter function auth.settling_grant_for_key(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.settling_grant_for_member(issuer text, subject text, tenant uuid)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select auth.mint_for_member(issuer, subject, tenant, true)
$function$;
alter function auth.settling_grant_for_member(text,text,uuid) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.store_credential(api_key_id uuid, secret_hash bytea, scopes text[], expires_at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  held text[] := tenancy.scopes();
  act text := tenancy.act();
begin
  if not ('*' = any (held) or scopes <@ held) then
    raise exception 'a key cannot hold a scope that its maker does not hold' using errcode = 'HF003';
  end if;
  if tenancy.actor() = 'system:operator' then
    if exists (select from auth.credentials c where c.tenant_id = tenant and c.actor is null)
       or exists (select from auth.memberships m where m.tenant_id = tenant) then
      if expires_at is null or expires_at > clock_timestamp() + interval '31 days' then
        raise exception 'a key that an operator takes ends within 30 days' using errcode = 'HF003';
      end if;
    else
      act := null;
    end if;
  end if;
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act)
  values (secret_hash, tenant, api_key_id, scopes, expires_at, act);
end $function$;
alter function auth.store_credential(uuid,bytea,text[],timestamp with time zone) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.store_membership(issuer text, subject text, member_id uuid, scopes text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform auth.require_held(scopes);
  insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes)
  values (issuer, subject, tenancy.tenant_id(), member_id, scopes);
  perform auth.note_revocation();
end $function$;
alter function auth.store_membership(text,text,uuid,text[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.tenant_named(slug text)
 RETURNS uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select t.id from auth.tenants t where t.slug = $1
$function$;
alter function auth.tenant_named(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION auth.tenants_of(issuer text, subject text)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.tenant_id from auth.memberships m where m.issuer = $1 and m.subject = $2 order by m.tenant_id limit 2
$function$;
alter function auth.tenants_of(text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.append(ids uuid[], types text[], schema_versions integer[], stream_types text[], stream_ids uuid[], stream_versions bigint[], payloads jsonb[], correlation_ids text[], causation_ids text[], traceparents text[], grants text[] DEFAULT NULL::text[], grant_of integer[] DEFAULT NULL::integer[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  -- As tenancy.verified_principal() says, of the context that has just been verified.
  principal text := substr(current_setting('holdfast.context'), 121);
  actors text[] := array[split_part(principal, '|', 1)];
  acts text[] := array[nullif(split_part(principal, '|', 4), '')];
  late text;
begin
  if grants is not null then
    select array_agg(split_part(p.principal, '|', 1) order by g.place), array_agg(nullif(split_part(p.principal, '|', 4), '') order by g.place)
    into actors, acts
    from unnest(grants) with ordinality g (signed, place)
    cross join lateral tenancy.grant_principal(g.signed) p (principal);
  end if;
  -- A megabyte is what a request may have; readers, the sealer among them, make text of each. Elements of an array that is an
  -- argument are not compressed.
  if pg_column_size(payloads) > 1048576
       and exists (select from unnest(payloads) p (payload) where pg_column_size(p.payload) > 1048576)
     or pg_column_size(types) + pg_column_size(stream_types) + pg_column_size(correlation_ids) + pg_column_size(causation_ids)
       + pg_column_size(traceparents) > 65536 + 1024 * cardinality(ids) then
    raise exception 'an event is larger than a megabyte' using errcode = '22001';
  end if;
  -- Streams by which the system goes on with what it has begun.
  if stream_types && '{payments.payment,sagas.participation,sagas.saga}' then
    perform tenancy.refuse_strangers(tenant, types, stream_types, stream_ids, stream_versions, actors, grant_of);
  end if;
  insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor, act,
    correlation_id, causation_id, traceparent, occurred_at, data)
  select pg_current_xact_id(), tenant, e.id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version,
    actors[coalesce(grant_of[e.place], 1)], acts[coalesce(grant_of[e.place], 1)], e.correlation_id, e.causation_id,
    e.traceparent, clock_timestamp(), e.payload
  from unnest(ids, types, schema_versions, stream_types, stream_ids, stream_versions, payloads, correlation_ids,
      causation_ids, traceparents)
    with ordinality e (id, type, schema_version, stream_type, stream_id, stream_version, payload, correlation_id,
      causation_id, traceparent, place)
  order by e.place;
  if 1 < any (stream_versions) then
    -- The newest before each: what is in order is found by the unique key, whatever was known about the size of the log.
    select format('%s/%s %s', e.stream_type, e.stream_id, e.stream_version) into late
    from unnest(stream_types, stream_ids, stream_versions) e (stream_type, stream_id, stream_version)
    left join lateral (
      select l.stream_version from events.log l
      where l.tenant_id = tenant and l.stream_type = e.stream_type and l.stream_id = e.stream_id
        and l.stream_version < e.stream_version
      order by l.stream_version desc
      limit 1) before on true
    where e.stream_version > 1 and before.stream_version is distinct from e.stream_version - 1
    limit 1;
    if late is not null then
      raise exception 'no version before % was announced', late using errcode = 'HF031';
    end if;
  end if;
end $function$;
alter function events.append(uuid[],text[],integer[],text[],uuid[],bigint[],jsonb[],text[],text[],text[],text[],integer[]) owner to holdfast_log;

CREATE OR REPLACE FUNCTION events.bump_epoch(by_operator text, why text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  now_is record;
  next_epoch int;
begin
  if coalesce(by_operator, '') = '' or coalesce(why, '') = '' then
    raise exception 'who bumps the epoch, and why?' using errcode = '22023';
  end if;
  lock table events.lineage in share row exclusive mode;
  select * into now_is from events.look_at_cluster();
  if now_is.is_foreign then
    raise exception 'the log was loaded from a dump: its positions are those of another cluster' using errcode = 'HF014';
  end if;
  insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason)
  select coalesce(max(l.epoch), 0) + 1, now_is.system, now_is.line, pg_postmaster_start_time(), by_operator, left(why, 500)
  from events.lineage l
  returning epoch into next_epoch;
  return next_epoch;
end $function$;
alter function events.bump_epoch(text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.consumed_snapshot(tenant uuid)
 RETURNS pg_snapshot
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select t.snapshot
  from events.ticks t
  where t.id <= coalesce((
    select min(least(
      coalesce(c.from_tick, s.from_tick, g.from_tick), c.rewind_to, s.rewind_to,
      case when g.generation > coalesce(abs(c.generation), s.generation, 0) then (
        select min(a.to_tick) from events.group_actions a
        where a.group_name = g.name and a.generation > coalesce(abs(c.generation), s.generation, 0)) end))
    from events.groups g
    left join events.tenant_cursors c on c.tenant_id = tenant and c.group_name = g.name
    left join events.store_cursors s on s.group_name = g.name), 9223372036854775807)
    and not exists (select from events.parked_keys p where p.tenant_id = tenant)
  order by t.id desc
  limit 1
$function$;
alter function events.consumed_snapshot(uuid) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.look_at_cluster(OUT system bigint, OUT line integer, OUT flushed pg_lsn, OUT is_foreign boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  begin
    system := (select c.system_identifier from pg_control_system() c);
  exception when insufficient_privilege then
    system := null;
  end;
  flushed := pg_current_wal_flush_lsn();
  -- The control file says so only after the next checkpoint.
  line := ('x' || substr(pg_walfile_name(flushed), 1, 8))::bit(32)::int;
  is_foreign := coalesce((
      select pg_snapshot_xmax(t.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) from events.ticks t order by t.id desc limit 1), false)
    or (select count(*) > 1 and count(distinct t.xmin::text) = 1
        from (select n.xmin from events.ticks n where n.id > 0 order by n.id desc limit 100) t);
end $function$;
alter function events.look_at_cluster() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.read_range(from_tick bigint, to_tick bigint, after_seq bigint, through_seq bigint, page_size integer)
 RETURNS SETOF events.log
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
declare
  earlier pg_snapshot := (select t.snapshot from events.ticks t where t.id = from_tick);
  later pg_snapshot := (select t.snapshot from events.ticks t where t.id = to_tick);
begin
  if earlier is null or later is null then
    raise exception 'tick % or % is gone', from_tick, to_tick using errcode = 'HF012';
  end if;
  return query
    select e.*
    from (
      select x.* from events.log x where x.xid >= pg_snapshot_xmax(earlier) and x.xid < pg_snapshot_xmax(later)
      union all
      select x.* from events.log x where x.xid = any (array(select pg_snapshot_xip(earlier)))
    ) e
    where e.seq > after_seq
      and (through_seq is null or e.seq <= through_seq)
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    limit page_size;
end $function$;
alter function events.read_range(bigint,bigint,bigint,bigint,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.read_tenant_range(tenant uuid, from_tick bigint, to_tick bigint, after_seq bigint, page_size integer)
 RETURNS SETOF events.log
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
declare
  earlier pg_snapshot := (select t.snapshot from events.ticks t where t.id = from_tick);
  later pg_snapshot := (select t.snapshot from events.ticks t where t.id = to_tick);
begin
  if earlier is null or later is null then
    raise exception 'tick % or % is gone', from_tick, to_tick using errcode = 'HF012';
  end if;
  return query
    select e.*
    from (
      select x.* from events.log x
      where x.tenant_id = tenant and x.xid >= pg_snapshot_xmax(earlier) and x.xid < pg_snapshot_xmax(later)
      union all
      select x.* from events.log x
      where x.tenant_id = tenant and x.xid = any (array(select pg_snapshot_xip(earlier)))
    ) e
    where e.seq > after_seq
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    limit page_size;
end $function$;
alter function events.read_tenant_range(uuid,bigint,bigint,bigint,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.read_tenant_span(tenant uuid, earlier pg_snapshot, later pg_snapshot, after_seq bigint, page_size integer)
 RETURNS SETOF events.log
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_custom_plan'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
declare
  xmax_earlier xid8 := pg_snapshot_xmax(earlier);
  xmax_later xid8 := pg_snapshot_xmax(later);
  open_earlier xid8[] := array(select pg_snapshot_xip(earlier));
begin
  return query
    select e.*
    from events.log e
    where e.tenant_id = tenant
      and (e.xid = any (open_earlier) or (e.xid >= xmax_earlier and e.xid < xmax_later))
      and e.seq > after_seq
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    limit page_size;
end $function$;
alter function events.read_tenant_span(uuid,pg_snapshot,pg_snapshot,bigint,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.take_page(tenant uuid, of_group text, page_size integer)
 RETURNS TABLE(seq bigint, id uuid, tenant_id uuid, stream_type text, stream_id uuid, stream_version bigint, type text, schema_version integer, actor text, act text, correlation_id text, causation_id text, traceparent text, occurred_at timestamp with time zone, data jsonb, state text, from_tick bigint, to_tick bigint, after_seq bigint, is_more boolean, is_parking boolean, is_due boolean)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
  held record;
  newest bigint;
  earlier pg_snapshot;
  later pg_snapshot;
  through bigint;
  found_count int;
begin
  for attempt in 1 .. 2 loop
    select c.from_tick, c.to_tick, c.after_seq, c.attempts, c.retry_at, c.generation <> g.generation as is_outdated,
      g.paused_at is not null as is_paused
    into held
    from events.tenant_cursors c
    join events.groups g on g.name = c.group_name
    where c.tenant_id = tenant and c.group_name = of_group
      and coalesce((
        select l.stopped_at is null and l.server_started_at = pg_postmaster_start_time()
        from events.lineage l order by l.id desc limit 1), true)
    for update of c skip locked;
    exit when found;
    insert into events.tenant_cursors (tenant_id, group_name, from_tick, generation)
    select tenant, g.name, g.from_tick, g.generation from events.groups g where g.name = of_group
    on conflict do nothing;
    if not found or attempt = 2 then
      return;
    end if;
  end loop;
  perform set_config('synchronous_commit', 'off', true);
  from_tick := held.from_tick;
  after_seq := held.after_seq;
  is_more := false;
  select true, coalesce(p.retry_at <= clock_timestamp(), false) into is_parking, is_due
  from events.parked_keys p
  where p.tenant_id = tenant and p.group_name = of_group
  order by p.retry_at
  limit 1;
  is_parking := coalesce(is_parking, false);
  is_due := coalesce(is_due, false);
  state := case
    when held.is_paused then 'paused'
    when held.is_outdated then 'outdated'
    when held.retry_at > clock_timestamp() then 'waiting'
    else 'page' end;
  select t.id, t.snapshot into newest, later from events.ticks t order by t.id desc limit 1;
  through := coalesce(held.to_tick, newest);
  if state <> 'page' or through <= held.from_tick then
    return next;
    return;
  end if;

  select t.snapshot into earlier from events.ticks t where t.id = held.from_tick;
  if through < newest then
    select t.snapshot into later from events.ticks t where t.id = through;
  end if;
  if earlier is null or later is null then
    raise exception 'tick % or % is gone', held.from_tick, through using errcode = 'HF012';
  end if;
  return query
    select e.seq, e.id, e.tenant_id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version, e.actor, e.act,
      e.correlation_id, e.causation_id, e.traceparent, e.occurred_at, e.data,
      null::text, null::bigint, null::bigint, null::bigint, null::boolean, null::boolean, null::boolean
    from (
      select x.* from events.log x
      where x.tenant_id = tenant and x.xid >= pg_snapshot_xmax(earlier) and x.xid < pg_snapshot_xmax(later)
      union all
      select x.* from events.log x
      where x.tenant_id = tenant and x.xid = any (array(select pg_snapshot_xip(earlier)))
    ) e
    where e.seq > held.after_seq
      and pg_visible_in_snapshot(e.xid, later)
      and not pg_visible_in_snapshot(e.xid, earlier)
    order by e.seq
    -- Halved with each failure that is nobody's but the group's own, which may be that pages are too much for it.
    limit greatest(1, page_size >> least(held.attempts, 10));
  get diagnostics found_count = row_count;
  if found_count = greatest(1, page_size >> least(held.attempts, 10)) then
    -- The last event is the caller's to know.
    to_tick := through;
  elsif found_count > 0 or held.to_tick is not null then
    update events.tenant_cursors c
    set from_tick = through, to_tick = null, after_seq = 0, attempts = 0, retry_at = null, last_error = null
    where c.tenant_id = tenant and c.group_name = of_group;
  end if;
  is_more := to_tick is not null or through < newest;
  return next;
end $function$;
alter function events.take_page(uuid,text,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.tick(by_holder text, with_fence bigint, lease_ms integer)
 RETURNS TABLE(new_tick bigint, new_events bigint, new_tenants uuid[], new_lag_ms double precision)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
declare
  expiry timestamptz;
  renew_below timestamptz := clock_timestamp() + make_interval(secs => lease_ms * 2 / 3000.0);
  last_id bigint;
  last_snapshot pg_snapshot;
  xmax_of_last xid8;
  open_in_last xid8[];
  snapshot_now pg_snapshot;
  seq_min bigint;
  seq_max bigint;
begin
  select l.expires_at into expiry from events.leases l
  where l.name = 'sequencer' and l.holder = by_holder and l.fence = with_fence;
  if not found then
    raise exception 'the lease of the sequencer has gone to another holder' using errcode = 'HF010';
  end if;
  if not coalesce((
      select l.stopped_at is null and l.server_started_at = pg_postmaster_start_time()
      from events.lineage l order by l.id desc limit 1), true) then
    raise exception 'the lineage of the database is not verified' using errcode = 'HF013';
  end if;
  select t.id, t.snapshot, pg_snapshot_xmax(t.snapshot), array(select pg_snapshot_xip(t.snapshot))
  into last_id, last_snapshot, xmax_of_last, open_in_last
  from events.ticks t order by t.id desc limit 1;
  if expiry > renew_below
     and not exists (select from events.log e where e.xid >= xmax_of_last)
     and not exists (select from events.log e where e.xid = any (open_in_last)) then
    return;
  end if;

  perform from events.leases l
  where l.name = 'sequencer' and l.holder = by_holder and l.fence = with_fence
  for no key update;
  if not found then
    raise exception 'the lease of the sequencer has gone to another holder' using errcode = 'HF010';
  end if;
  perform set_config('synchronous_commit', 'off', true);
  if expiry <= renew_below then
    update events.leases l set expires_at = clock_timestamp() + make_interval(secs => lease_ms / 1000.0)
    where l.name = 'sequencer';
  end if;

  -- Another tick of this same holder may have gone first.
  select t.id, t.snapshot, pg_snapshot_xmax(t.snapshot), array(select pg_snapshot_xip(t.snapshot))
  into last_id, last_snapshot, xmax_of_last, open_in_last
  from events.ticks t order by t.id desc limit 1;
  select pg_current_snapshot(), count(*), min(e.seq), max(e.seq), array_agg(distinct e.tenant_id),
    extract(epoch from clock_timestamp() - min(e.occurred_at)) * 1000
  into snapshot_now, new_events, seq_min, seq_max, new_tenants, new_lag_ms
  from (
    select l.seq, l.tenant_id, l.occurred_at from events.log l where l.xid >= xmax_of_last
    union all
    select l.seq, l.tenant_id, l.occurred_at from events.log l where l.xid = any (open_in_last)
  ) e;
  if pg_snapshot_xmin(snapshot_now) < pg_snapshot_xmin(last_snapshot) or pg_snapshot_xmax(snapshot_now) < xmax_of_last then
    raise exception 'snapshot % is older than tick % (%)', snapshot_now, last_id, last_snapshot using errcode = 'HF011';
  end if;
  if new_events = 0 then
    return;
  end if;

  new_tick := last_id + 1;
  insert into events.ticks (id, snapshot, event_count, first_seq, last_seq, wal_lsn, fence)
  values (new_tick, snapshot_now, new_events, seq_min, seq_max, pg_current_wal_insert_lsn(), with_fence);
  insert into events.heads (tenant_id, tick)
  select unnest(new_tenants), new_tick
  on conflict (tenant_id) do update set tick = excluded.tick;
  -- For listeners outside; one per non-empty tick, since every NOTIFY takes a lock of the whole cluster at commit.
  perform pg_notify('holdfast_tick', new_tick::text);
  return next;
end $function$;
alter function events.tick(text,bigint,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION events.verify_lineage(seen pg_lsn, seen_epoch integer, continue_on_failover boolean, OUT current_epoch integer, OUT why text, OUT detail text, OUT since timestamp with time zone, OUT flushed_to pg_lsn)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held events.lineage;
  now_is record;
begin
  select l.* into held from events.lineage l order by l.id desc limit 1;
  if held.stopped_at is null and held.server_started_at = pg_postmaster_start_time()
     and (seen is null or seen_epoch is distinct from held.epoch or seen <= pg_current_wal_flush_lsn()) then
    current_epoch := held.epoch;
    flushed_to := pg_current_wal_flush_lsn();
    return;
  end if;

  lock table events.lineage in share row exclusive mode;
  select * into now_is from events.look_at_cluster();
  flushed_to := now_is.flushed;
  select l.* into held from events.lineage l order by l.id desc limit 1;
  if held.id is null then
    insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason,
      stopped_at, stopped_reason, stopped_detail)
    select 1, now_is.system, now_is.line, pg_postmaster_start_time(), 'first start', 'no lineage was known',
      case when now_is.is_foreign then clock_timestamp() end, case when now_is.is_foreign then 'positions' end,
      case when now_is.is_foreign then 'the ticks are not of this cluster' end
    returning * into held;
  elsif held.stopped_at is null then
    if held.system_identifier <> now_is.system then
      why := 'system';
      detail := format('system identifier %s instead of %s', now_is.system, held.system_identifier);
    elsif now_is.is_foreign then
      why := 'positions';
      detail := 'the ticks are not of this cluster';
    elsif now_is.line <> held.timeline and not (continue_on_failover and now_is.line > held.timeline
        and coalesce(seen_epoch is distinct from held.epoch or seen <= now_is.flushed + 67108864, true)) then
      why := 'timeline';
      detail := format('timeline %s instead of %s', now_is.line, held.timeline);
    elsif now_is.line = held.timeline and seen_epoch = held.epoch and seen > now_is.flushed then
      why := 'position';
      detail := format('WAL ends at %s, and was seen at %s', now_is.flushed, seen);
    end if;
    if why is not null then
      update events.lineage l set stopped_at = clock_timestamp(), stopped_reason = why, stopped_detail = detail
      where l.id = held.id
      returning l.* into held;
    elsif now_is.line <> held.timeline then
      insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason)
      values (held.epoch, now_is.system, now_is.line, pg_postmaster_start_time(), 'failover',
        format('from timeline %s, as EVENTS_ON_FAILOVER says', held.timeline))
      returning * into held;
    elsif held.server_started_at <> pg_postmaster_start_time() then
      update events.lineage l set server_started_at = pg_postmaster_start_time() where l.id = held.id;
    end if;
  end if;
  current_epoch := held.epoch;
  why := held.stopped_reason;
  detail := held.stopped_detail;
  since := held.stopped_at;
end $function$;
alter function events.verify_lineage(pg_lsn,integer,boolean) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.balances_at(account uuid, account_version bigint)
 RETURNS TABLE(posted_debits bigint, posted_credits bigint, pending_debits bigint, pending_credits bigint)
 LANGUAGE plpgsql
 STABLE ROWS 1
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
#variable_conflict use_column
declare
  tenant constant uuid := tenancy.tenant_id();
begin
  return query
  select t.debit_account_debits, t.debit_account_credits, coalesce(t.debit_account_held_debits, 0),
    coalesce(t.debit_account_held_credits, 0)
  from ledger.transfers t
  where t.tenant_id = tenant and t.debit_account_id = account and t.debit_version = account_version and t.refusal is null
  union all
  select t.credit_account_debits, t.credit_account_credits, coalesce(t.credit_account_held_debits, 0),
    coalesce(t.credit_account_held_credits, 0)
  from ledger.transfers t
  where t.tenant_id = tenant and t.credit_account_id = account and t.credit_version = account_version and t.refusal is null
  union all
  select 0, 0, 0, 0
  where account_version = 0;
end $function$;
alter function ledger.balances_at(uuid,bigint) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.clock()
 RETURNS timestamp with time zone
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ select clock_timestamp() $function$;
alter function ledger.clock() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.drop_timeouts(rows_at tid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_indexscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
begin
  delete from ledger.timeouts t
  using unnest(rows_at) u (row_at)
  where t.ctid = u.row_at and t.tenant_id = (select tenancy.tenant_id());
end $function$;
alter function ledger.drop_timeouts(tid[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.keep_owned()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tg_op = 'INSERT' then
    if new.owner is null or 'system:' || new.owner <> tenancy.actor() then
      raise exception 'only % opens accounts that it owns', coalesce(new.owner, 'their owner') using errcode = 'HF003';
    end if;
  elsif (new.closed_at, new.metadata) is distinct from (old.closed_at, old.metadata) then
    raise exception 'an account that % owns is not changed', old.owner using errcode = 'HF003';
  end if;
  return new;
end $function$;
alter function ledger.keep_owned() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.post_batch(ids uuid[], ids_given boolean[], idempotency_keys uuid[], debit_account_ids uuid[], credit_account_ids uuid[], amounts bigint[], metadatas jsonb[], event_ids uuid[], correlation_ids text[], causation_ids text[], traceparents text[], grants text[], grant_of integer[])
 RETURNS TABLE(place integer, result text, replayed boolean, id uuid, asset text, debit_version bigint, credit_version bigint, booked_at text)
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select r.place, r.result, r.replayed, r.id, r.asset, r.debit_version, r.credit_version, r.booked_at
  from (
    select array(select unnest(debit_account_ids) union select unnest(credit_account_ids) order by 1) as account_ids) a
  cross join ledger.post_items(ids, ids_given, idempotency_keys, array_fill('transfer'::text, array[cardinality(ids)]),
    array_fill(null::uuid, array[cardinality(ids)]), a.account_ids,
    array(select array_position(a.account_ids, i.id) from unnest(debit_account_ids) with ordinality i (id, place) order by i.place),
    array(select array_position(a.account_ids, i.id) from unnest(credit_account_ids) with ordinality i (id, place) order by i.place),
    amounts, metadatas,
    array_fill(null::jsonb, array[cardinality(ids)]), array_fill(false, array[cardinality(ids)]),
    array_fill(true, array[cardinality(ids)]), event_ids, correlation_ids, causation_ids, traceparents, grants, grant_of) r
$function$;
alter function ledger.post_batch(uuid[],boolean[],uuid[],uuid[],uuid[],bigint[],jsonb[],uuid[],text[],text[],text[],text[],integer[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.post_items(ids uuid[], ids_given boolean[], idempotency_keys uuid[], kinds text[], target_ids uuid[], account_ids uuid[], debit_places integer[], credit_places integer[], amounts bigint[], metadatas jsonb[], terms jsonb[], linked boolean[], detailed boolean[], event_ids uuid[], correlation_ids text[], causation_ids text[], traceparents text[], grants text[], grant_of integer[])
 RETURNS SETOF ledger.posting_result
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
AS $function$
#variable_conflict use_column
declare
  codes constant text[] := array[
    'ledger.account_not_found', 'ledger.accounts_must_differ', 'ledger.account_closed', 'ledger.asset_mismatch', -- 4
    'ledger.period_closed', 'ledger.overflow', 'ledger.exceeds_credits', 'ledger.exceeds_debits', -- 8
    'ledger.balance_below_minimum', 'ledger.linked_item_failed', 'ledger.hold_not_found', 'ledger.hold_posted', -- 12
    'ledger.hold_voided', 'ledger.hold_expired', 'ledger.hold_not_due', 'ledger.exceeds_hold', -- 16
    'ledger.transfer_not_found', 'ledger.not_reversible', 'ledger.already_reversed', 'ledger.account_reserved']; -- 20
  kind_names constant text[] := array['transfer', 'hold', 'post', 'void', 'expiry', 'reversal'];
  total_max constant bigint := 9223372036854775807;
  no_minimum constant bigint := -9223372036854775808;
  tenant constant uuid := tenancy.tenant_id();
  n constant int := cardinality(ids);
  keyed constant int := cardinality(array_remove(idempotency_keys, null));
  is_plain constant boolean := 'transfer' = all (kinds); -- Then there are no targets.
  has_terms constant boolean := cardinality(array_remove(terms, null)) > 0;
  has_links constant boolean := true = any (linked);
  actors text[];
  fresh_keys uuid[];
  known_ids uuid[];
  keys_fresh boolean[] := array_fill(true, array[n]); -- Whether an item has no key or is the first with it.
  fresh boolean[]; -- Whether it is the first with its key and its id.
  -- Per account, in id order: those of the items and those of their targets.
  all_ids uuid[] := account_ids;
  place_of int[]; -- Of account_ids among all_ids.
  found boolean[];
  assets text[];
  has_assets boolean; -- Whether they are more than one.
  asset_names text[]; -- Each once.
  asset_places int[]; -- Among asset_names, since reading the nth text of an array costs n steps.
  rows_at tid[]; -- Where their rows are.
  debits bigint[];
  credits bigint[];
  held_debits bigint[];
  held_credits bigint[];
  versions bigint[];
  last_booked timestamptz[];
  closed boolean[];
  owners text[];
  has_owners boolean; -- Whether an account belongs to a part of the system.
  debit_normal boolean[];
  caps_debits boolean[];
  caps_credits boolean[];
  -- Per target, in id order. States: -1 unknown, 0 open, 1 posted, 2 voided, 3 expired, 4 reversed.
  targets uuid[] := '{}';
  target_kinds smallint[];
  target_states smallint[];
  target_debits int[];
  target_credits int[];
  target_amounts bigint[];
  target_ends timestamptz[]; -- When a hold expires.
  -- Per item. Places are those of the accounts, 0 for one that is not there: an array with nulls is read from its front.
  zeros constant bigint[] := array_fill(0::bigint, array[n]);
  kind_places smallint[] := array_fill(0::smallint, array[n]);
  target_of int[]; -- The place of its target, or 0.
  own_target int[]; -- Its place among the targets of others, or 0.
  debit_of int[] := debit_places;
  credit_of int[] := credit_places;
  balancing smallint[]; -- Added up: 1 by the debited account, 2 by the credited one.
  min_debits bigint[];
  min_credits bigint[];
  dates date[]; -- infinity where none was asked for.
  timeouts int[]; -- Seconds, or 0.
  outcomes smallint[] := array_fill((-1)::smallint, array[n]); -- 0: created; else the place in codes; -1: not fresh.
  moved bigint[] := amounts; -- What moved, is held, or is given back.
  held bigint[] := zeros; -- What it added to the held amounts.
  posted bigint[] := zeros; -- What it added to the posted ones.
  debit_versions bigint[] := zeros;
  credit_versions bigint[] := zeros;
  debit_account_debits bigint[] := zeros;
  debit_account_credits bigint[] := zeros;
  credit_account_debits bigint[] := zeros;
  credit_account_credits bigint[] := zeros;
  debit_account_held_debits bigint[] := zeros;
  debit_account_held_credits bigint[] := zeros;
  credit_account_held_debits bigint[] := zeros;
  credit_account_held_credits bigint[] := zeros;
  booked timestamptz[] := array_fill('-infinity'::timestamptz, array[n]);
  booked_before_debit timestamptz[] := booked;
  booked_before_credit timestamptz[] := booked;
  has_held boolean; -- Whether there is anything held on the accounts, or will be.
  closed_through date;
  started_at timestamptz;
  chain_start int := 1;
  chain_failed boolean := false;
  o int; -- Outcome.
  k int; -- Kind.
  d int; -- Place of the debited account.
  c int; -- Place of the credited account.
  x int; -- Place of the target.
  m bigint; -- Amount.
  p bigint; -- What it adds to the posted totals.
  h bigint; -- What it adds to the held ones.
  b timestamptz; -- When it is booked.
  written int;
begin
  select array_agg(tenancy.grant_actor(g.signed) order by g.place) into actors
  from unnest(grants) with ordinality g (signed, place);
  if keyed > 0 and 'expiry' = any (kinds) and exists (
      select from unnest(kinds, idempotency_keys) i (kind, idempotency_key)
      where i.kind = 'expiry' and i.idempotency_key is not null) then
    raise exception 'an expiry has a key, and no refusal of one is kept' using errcode = '22023';
  end if;

  if keyed > 0 then
    with inserted as (
      insert into ledger.keys as a (tenant_id, idempotency_key, transfer_id, id_given, fingerprint)
      select tenant, i.idempotency_key, i.id, i.id_given, sha256(convert_to(ledger.request_text(
        i.kind, i.target_id, account_ids[i.debit_place], account_ids[i.credit_place], i.amount, i.metadata, i.terms), 'utf8'))
      from unnest(ids, ids_given, idempotency_keys, kinds, target_ids, debit_places, credit_places, amounts, metadatas, terms)
        with ordinality i (id, id_given, idempotency_key, kind, target_id, debit_place, credit_place, amount, metadata, terms,
          place)
      where i.idempotency_key is not null
      order by i.idempotency_key, i.place
      on conflict do nothing
      returning a.idempotency_key)
    select array_agg(f.idempotency_key) into fresh_keys from inserted f;
    if cardinality(fresh_keys) is distinct from keyed then
      -- Of equal keys in one batch the first went in.
      select array_agg(r.idempotency_key is null or (r.nth = 1 and r.is_fresh) order by r.place) into keys_fresh
      from (
        select i.idempotency_key, i.place, bool_or(i.place is null) over (partition by i.idempotency_key) as is_fresh,
          row_number() over (partition by i.idempotency_key order by i.place) as nth
        from (
          select k.idempotency_key, k.place from unnest(idempotency_keys) with ordinality k (idempotency_key, place)
          union all
          select f.idempotency_key, null from unnest(fresh_keys) f (idempotency_key)) i) r
      where r.place is not null;
    end if;
  end if;

  if has_terms then
    select array_agg(case i.terms->>'balancing' when 'debit' then 1 when 'credit' then 2 when 'both' then 3 else 0 end::smallint
        order by i.place),
      array_agg(coalesce((i.terms->'min_balance_after'->>'debit')::bigint, no_minimum) order by i.place),
      array_agg(coalesce((i.terms->'min_balance_after'->>'credit')::bigint, no_minimum) order by i.place),
      array_agg(coalesce((i.terms->>'effective_date')::date, 'infinity') order by i.place),
      array_agg(coalesce((i.terms->>'timeout_seconds')::int, 0) order by i.place)
    into balancing, min_debits, min_credits, dates, timeouts
    from unnest(terms) with ordinality i (terms, place);
    if 'infinity' <> any (dates) then
      -- Whoever closes a period waits for those that are dated back, and they for it. The rest date to the present day, which
      -- can be closed only when no transaction of it is under way any more.
      insert into ledger.books (tenant_id) values (tenant) on conflict do nothing;
      select s.closed_through into closed_through from ledger.books s where s.tenant_id = tenant for key share;
    end if;
  end if;
  if not is_plain then
    select array_agg((array_position(kind_names, i.kind) - 1)::smallint order by i.place) into strict kind_places
    from unnest(kinds) with ordinality i (kind, place);
    -- Ranks instead of joins of arrays, which are quadratic where the plan does not know how long they are.
    select coalesce(array_agg(distinct r.id) filter (where r.is_target), '{}'),
      array_agg(case when r.is_target and r.asks then r.rank else 0 end order by r.place) filter (where r.asks),
      array_agg(case when r.is_target then r.rank else 0 end order by r.place) filter (where not r.asks)
    into targets, target_of, own_target
    from (
      select l.id, l.place, l.asks, l.is_target, dense_rank() over (partition by l.is_target order by l.id)::int as rank
      from (
        select i.id, i.place, i.asks, i.id is not null and bool_or(i.asks) over (partition by i.id) as is_target
        from (
          select t.id, t.place, true as asks from unnest(target_ids) with ordinality t (id, place)
          union all
          select t.id, t.place, false from unnest(ids) with ordinality t (id, place)) i) l) r;
    select array_agg(distinct r.id) filter (where r.id is not null),
      array_agg(r.rank order by r.place) filter (where r.leg = 0),
      array_agg(case when r.id is null then 0 else r.rank end order by r.place) filter (where r.leg = 1),
      array_agg(case when r.id is null then 0 else r.rank end order by r.place) filter (where r.leg = 2)
    into all_ids, place_of, target_debits, target_credits
    from (
      select l.id, l.leg, l.place, dense_rank() over (order by l.id)::int as rank -- Nulls are last.
      from (
        select a.id, 0 as leg, a.place from unnest(account_ids) with ordinality a (id, place)
        union all
        select case g.leg when 1 then t.debit_account_id else t.credit_account_id end, g.leg, i.place
        from unnest(targets) with ordinality i (id, place)
        cross join generate_series(1, 2) g (leg)
        left join lateral (
          select t.debit_account_id, t.credit_account_id, t.refusal from ledger.transfers t
          where t.tenant_id = tenant and t.id = i.id
          limit 1) t on t.refusal is null) l) r;
    select array_agg(coalesce(place_of[nullif(i.debit_place, 0)], 0) order by i.place),
      array_agg(coalesce(place_of[nullif(i.credit_place, 0)], 0) order by i.place)
    into debit_of, credit_of
    from unnest(debit_places, credit_places) with ordinality i (debit_place, credit_place, place);
  end if;

  -- One look-up after the other, as a lateral join with a limit has to be: in the order of the array, which is that of the
  -- ids, and by the primary key even before the table has statistics.
  select array_agg(l.id is not null order by l.place), array_agg(l.row_at order by l.place),
    array_agg(l.asset order by l.place), array[min(l.asset)], min(l.asset) <> max(l.asset),
    array_agg(coalesce(l.posted_debits, 0) order by l.place), array_agg(coalesce(l.posted_credits, 0) order by l.place),
    array_agg(coalesce(l.pending_debits, 0) order by l.place), array_agg(coalesce(l.pending_credits, 0) order by l.place),
    array_agg(coalesce(l.version, 0) order by l.place), array_agg(coalesce(l.last_booked_at, '-infinity') order by l.place),
    array_agg(l.id is not null and l.closed_at is not null order by l.place),
    array_agg(coalesce(l.owner, '') order by l.place), coalesce(bool_or(l.owner is not null), false),
    array_agg(coalesce(l.normal_balance = 'debit', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'debits_must_not_exceed_credits', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'credits_must_not_exceed_debits', false) order by l.place),
    coalesce(bool_or(l.pending_debits > 0 or l.pending_credits > 0), false) or not is_plain
  into found, rows_at, assets, asset_names, has_assets, debits, credits, held_debits, held_credits, versions, last_booked,
    closed, owners, has_owners, debit_normal, caps_debits, caps_credits, has_held
  from (
    select i.place, a.id, a.row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
      a.last_booked_at, a.closed_at, a.owner, a.normal_balance, a.limit_rule
    from unnest(all_ids) with ordinality i (id, place)
    left join lateral (
      select a.id, a.ctid as row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
        a.last_booked_at, a.closed_at, a.owner, a.normal_balance, a.limit_rule
      from ledger.accounts a
      where a.tenant_id = tenant and a.id = i.id
      limit 1
      for no key update) a on true) l;
  asset_places := array_fill(1, array[coalesce(cardinality(all_ids), 0)]);
  if has_assets then
    select array_agg(distinct r.asset order by r.asset), array_agg(r.rank order by r.place) into asset_names, asset_places
    from (
      select a.asset, a.place, dense_rank() over (order by a.asset)::int as rank -- Nulls are last.
      from unnest(assets) with ordinality a (asset, place)) r;
  end if;

  fresh := keys_fresh;
  known_ids := array(
    select t.id
    from unnest(ids) i (id)
    cross join lateral (select t.id from ledger.transfers t where t.tenant_id = tenant and t.id = i.id limit 1) t);
  if cardinality(known_ids) > 0 or (n > 1 and n > (select count(distinct i.id) from unnest(ids) i (id))) then
    select array_agg(r.is_key_fresh and r.nth = 1 and not r.is_known order by r.place) into fresh
    from (
      select i.place, i.is_key_fresh, bool_or(i.place is null) over (partition by i.id) as is_known,
        row_number() over (partition by i.id, i.is_key_fresh order by i.place) as nth
      from (
        select t.id, t.is_key_fresh, t.place from unnest(ids, keys_fresh) with ordinality t (id, is_key_fresh, place)
        union all
        select l.id, false, null from unnest(known_ids) l (id)) i) r
    where r.place is not null;
  end if;

  if not is_plain then
    select array_agg(coalesce(array_position(kind_names, t.kind) - 1, -1)::smallint order by i.place),
      array_agg(case
          when t.kind is null then -1
          when f.kind = 'post' then 1
          when f.kind = 'void' then 2
          when f.kind = 'expiry' then 3
          when f.kind = 'reversal' then 4
          else 0
        end::smallint order by i.place),
      array_agg(coalesce(t.amount, 0) order by i.place), array_agg(coalesce(t.expires_at, 'infinity') order by i.place)
    into target_kinds, target_states, target_amounts, target_ends
    from unnest(targets) with ordinality i (id, place)
    left join lateral (
      select t.kind, t.amount, t.expires_at, t.refusal from ledger.transfers t
      where t.tenant_id = tenant and t.id = i.id
      limit 1) t on t.refusal is null
    left join lateral (
      select f.kind from ledger.transfers f
      where f.tenant_id = tenant and f.target_id = i.id and f.refusal is null
      limit 1) f on true;
  end if;

  started_at := ledger.clock();
  for i in 1 .. n loop
    if chain_failed then
      if fresh[i] then
        outcomes[i] := 10;
      end if;
    else
      o := -1;
      if fresh[i] then
        k := kind_places[i];
        m := amounts[i];
        x := 0;
        if k <= 1 then
          d := debit_of[i];
          c := credit_of[i];
          p := case k when 0 then m else 0 end;
          h := m - p;
          o := case when d = 0 or c = 0 or not found[d] or not found[c] then 1 when d = c then 2 else 0 end;
        else
          x := target_of[i];
          d := target_debits[x];
          c := target_credits[x];
          o := 0;
          if target_states[x] >= 0 and (d = 0 or c = 0) then
            raise exception 'a target appeared meanwhile' using errcode = '40001';
          end if;
          if k = 5 then
            d := c;
            c := target_debits[x];
            m := target_amounts[x];
            p := m;
            h := 0;
            if target_states[x] = -1 then
              o := 17;
            elsif target_kinds[x] not in (0, 2) then
              o := 18;
            elsif target_states[x] = 4 then
              o := 19;
            end if;
          else
            h := - target_amounts[x];
            if k > 2 then
              m := - h;
              p := 0;
            else
              m := case m when 0 then - h else m end;
              p := m;
            end if;
            if target_states[x] = -1 or target_kinds[x] <> 1 then
              o := 11;
            elsif target_states[x] > 0 then
              o := 11 + target_states[x];
            else
              b := greatest(started_at, last_booked[d], last_booked[c]);
              if k = 4 and b < target_ends[x] then
                o := 15;
              elsif k <> 4 and b >= target_ends[x] then
                o := 14;
              elsif m > - h then
                o := 16;
              end if;
            end if;
          end if;
        end if;

        -- What a part of the system owns, it alone books on, ends holds on, and reverses.
        if o = 0 and has_owners and (owners[d] <> '' and 'system:' || owners[d] <> actors[grant_of[i]]
            or owners[c] <> '' and 'system:' || owners[c] <> actors[grant_of[i]]) then
          o := 20;
        end if;

        -- What makes new demands on the accounts.
        if o = 0 and p + h > 0 then
          if has_terms and balancing[i] > 0 then
            m := least(m,
              case when balancing[i] in (1, 3) then credits[d] - debits[d] - held_debits[d] else m end,
              case when balancing[i] in (2, 3) then debits[c] - credits[c] - held_credits[c] else m end);
            if k = 0 then p := m; else h := m; end if;
          end if;
          if closed[d] or closed[c] then
            o := 3;
          elsif asset_places[d] <> asset_places[c] then
            o := 4;
          elsif has_terms and dates[i] <= closed_through then
            o := 5;
          elsif m <= 0 then
            o := case when credits[d] - debits[d] - held_debits[d] <= 0 and balancing[i] in (1, 3) then 7 else 8 end;
          elsif m > total_max - debits[d] - held_debits[d] or m > total_max - credits[c] - held_credits[c] then
            o := 6;
          elsif caps_debits[d] and debits[d] + held_debits[d] + m > credits[d] then
            o := 7;
          elsif caps_credits[c] and credits[c] + held_credits[c] + m > debits[c] then
            o := 8;
          elsif has_terms then
            if (case when debit_normal[d] then debits[d] + p - credits[d] - held_credits[d]
                else credits[d] - debits[d] - p - held_debits[d] - h end) < min_debits[i]
              or (case when debit_normal[c] then debits[c] - credits[c] - p - held_credits[c] - h
                else credits[c] + p - debits[c] - held_debits[c] end) < min_credits[i] then
              o := 9;
            end if;
          end if;
        end if;
      end if;
      outcomes[i] := o;

      if o = 0 then
        b := greatest(started_at, last_booked[d], last_booked[c]);
        if has_links then
          booked_before_debit[i] := last_booked[d];
          booked_before_credit[i] := last_booked[c];
        end if;
        debits[d] := debits[d] + p;
        credits[c] := credits[c] + p;
        versions[d] := versions[d] + 1;
        versions[c] := versions[c] + 1;
        last_booked[d] := b;
        last_booked[c] := b;
        booked[i] := b;
        debit_versions[i] := versions[d];
        credit_versions[i] := versions[c];
        debit_account_debits[i] := debits[d];
        debit_account_credits[i] := credits[d];
        credit_account_debits[i] := debits[c];
        credit_account_credits[i] := credits[c];
        moved[i] := m;
        if has_held then
          held_debits[d] := held_debits[d] + h;
          held_credits[c] := held_credits[c] + h;
          debit_account_held_debits[i] := held_debits[d];
          debit_account_held_credits[i] := held_credits[d];
          credit_account_held_debits[i] := held_debits[c];
          credit_account_held_credits[i] := held_credits[c];
        end if;
        if has_links then
          posted[i] := p;
          held[i] := h;
        end if;
        if not is_plain then
          debit_of[i] := d;
          credit_of[i] := c;
          if x > 0 then
            target_states[x] := case k when 5 then 4 else k - 1 end;
          end if;
          x := own_target[i];
          if x > 0 then
            target_kinds[x] := k;
            target_states[x] := 0;
            target_debits[x] := d;
            target_credits[x] := c;
            target_amounts[x] := m;
            target_ends[x] := case when has_terms and timeouts[i] > 0 then b + make_interval(secs => timeouts[i]) else 'infinity' end;
          end if;
        end if;
      elsif linked[i] or chain_start < i then
        -- The chain fails as a whole: what it has done so far is undone, the last first.
        chain_failed := true;
        for j in reverse i - 1 .. chain_start loop
          d := debit_of[j];
          c := credit_of[j];
          outcomes[j] := 10;
          debits[d] := debits[d] - posted[j];
          credits[c] := credits[c] - posted[j];
          held_debits[d] := held_debits[d] - held[j];
          held_credits[c] := held_credits[c] - held[j];
          versions[d] := versions[d] - 1;
          versions[c] := versions[c] - 1;
          last_booked[d] := booked_before_debit[j];
          last_booked[c] := booked_before_credit[j];
          if not is_plain then
            if target_of[j] > 0 then
              target_states[target_of[j]] := 0;
            end if;
            if own_target[j] > 0 then
              target_states[own_target[j]] := -1;
            end if;
          end if;
        end loop;
      end if;
    end if;
    if not linked[i] then
      chain_start := i + 1;
      chain_failed := false;
    end if;
  end loop;

  -- One statement for what took effect and what did not: with one for each, two transactions could wait for ids of each other's.
  insert into ledger.transfers (tenant_id, id, kind, target_id, debit_account_id, credit_account_id, amount, debit_version,
    credit_version, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
    debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked_at,
    effective_date, expires_at, asset, metadata, terms, refusal, actor)
  select tenant, i.id, i.kind, i.target_id,
    case i.outcome when 0 then all_ids[i.debit_place] else account_ids[i.asked_debit_place] end,
    case i.outcome when 0 then all_ids[i.credit_place] else account_ids[i.asked_credit_place] end,
    case i.outcome when 0 then i.moved else nullif(i.amount, 0) end,
    case i.outcome when 0 then i.debit_version end, case i.outcome when 0 then i.credit_version end,
    case i.outcome when 0 then i.debit_account_debits end, case i.outcome when 0 then i.debit_account_credits end,
    case i.outcome when 0 then i.credit_account_debits end, case i.outcome when 0 then i.credit_account_credits end,
    case i.outcome when 0 then nullif(i.debit_account_held_debits, 0) end,
    case i.outcome when 0 then nullif(i.debit_account_held_credits, 0) end,
    case i.outcome when 0 then nullif(i.credit_account_held_debits, 0) end,
    case i.outcome when 0 then nullif(i.credit_account_held_credits, 0) end,
    case i.outcome when 0 then i.booked_at end,
    case i.outcome when 0 then coalesce((i.terms->>'effective_date')::date, (i.booked_at at time zone 'utc')::date) end,
    case i.outcome when 0 then i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int) end,
    case i.outcome when 0 then asset_names[asset_places[i.debit_place]] end,
    i.metadata, i.terms, codes[nullif(i.outcome, 0)], case when i.outcome > 0 then actors[i.grant_place] end
  from unnest(ids, kinds, target_ids, debit_of, credit_of, debit_places, credit_places, amounts, moved, debit_versions,
      credit_versions, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
      debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked,
      metadatas, terms, grant_of, outcomes)
    i (id, kind, target_id, debit_place, credit_place, asked_debit_place, asked_credit_place, amount, moved, debit_version,
      credit_version, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
      debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked_at,
      metadata, terms, grant_place, outcome)
  -- Refusals of the sweeper are nobody's to remember: it comes again.
  where i.outcome = 0 or (i.outcome > 0 and i.kind <> 'expiry')
  order by i.id
  on conflict (tenant_id, id) do nothing;
  get diagnostics written = row_count;
  if written < (
      select count(*) from unnest(kinds, outcomes) i (kind, outcome)
      where i.outcome = 0 or (i.outcome > 0 and i.kind <> 'expiry')) then
    raise exception 'an id was used meanwhile' using errcode = '40001';
  end if;

  perform ledger.write_totals(rows_at, versions, debits, credits, held_debits, held_credits, last_booked);

  if not is_plain then
    perform ledger.drop_timeouts(array(
      select l.row_at
      from unnest(target_ids, outcomes) u (target_id, outcome)
      cross join lateral (
        select t.ctid as row_at from ledger.timeouts t
        where t.tenant_id = tenant and t.hold_id = u.target_id
        limit 1) l
      where u.outcome = 0));
    if has_terms then
      insert into ledger.timeouts (tenant_id, hold_id, expires_at)
      select tenant, i.id, i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)
      from unnest(ids, own_target, booked, terms, outcomes) i (id, own_target, booked_at, terms, outcome)
      where i.outcome = 0 and i.terms ? 'timeout_seconds'
        -- Some have ended in this very call.
        and not coalesce(target_states[nullif(i.own_target, 0)] > 0, false);
    end if;
  end if;

  -- A hold and what ends it are one stream, and so are a transfer and its reversal. What was posted of a hold stands in the
  -- stream of the hold, so its reversal is the first in its own.
  perform events.append(
    array_agg(i.event_id order by i.place),
    array_agg(case i.kind
      when 'transfer' then 'ledger.transfer.posted'
      when 'hold' then 'ledger.hold.placed'
      when 'post' then 'ledger.hold.posted'
      when 'void' then 'ledger.hold.voided'
      when 'expiry' then 'ledger.hold.expired'
      else 'ledger.transfer.reversed'
    end order by i.place),
    array_agg(1),
    array_agg(case when i.kind in ('transfer', 'reversal') then 'ledger.transfer' else 'ledger.hold' end order by i.place),
    array_agg(coalesce(i.target_id, i.id) order by i.place),
    array_agg(case when i.target_id is null or t.kind = 'post' then 1 else 2 end::bigint order by i.place),
    array_agg(jsonb_build_object(
      'debitAccountId', all_ids[i.debit_place], 'creditAccountId', all_ids[i.credit_place],
      'asset', asset_names[asset_places[i.debit_place]], 'amount', i.amount::text, 'debitVersion', i.debit_version::text,
      'creditVersion', i.credit_version::text,
      'bookedAt', to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) || case
        when i.target_id is null and i.terms is null then '{}'
        else jsonb_strip_nulls(jsonb_build_object(
          'transferId', case when i.target_id is not null then i.id end, 'reversedId', case i.kind when 'reversal' then i.target_id end,
          'effectiveDate', i.terms->>'effective_date',
          'expiresAt', to_char((i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)) at time zone 'utc',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
      end order by i.place),
    array_agg(i.correlation_id order by i.place), array_agg(i.causation_id order by i.place),
    array_agg(i.traceparent order by i.place), grants, array_agg(i.grant_place order by i.place))
  from unnest(event_ids, ids, kinds, target_ids, debit_of, credit_of, moved, debit_versions, credit_versions, booked,
      terms, correlation_ids, causation_ids, traceparents, grant_of, outcomes)
    with ordinality i (event_id, id, kind, target_id, debit_place, credit_place, amount, debit_version, credit_version,
      booked_at, terms, correlation_id, causation_id, traceparent, grant_place, outcome, place)
  left join lateral (
    select t.kind from ledger.transfers t
    where i.target_id is not null and t.tenant_id = tenant and t.id = i.target_id
    limit 1) t on true
  where i.outcome = 0
  having count(*) > 0;

  if 0 < any (outcomes) then
    return query
    select i.place::int, codes[i.outcome], false, i.id, null::uuid, null::uuid, null::text, null::bigint, null::bigint,
      null::bigint, null::text, null::text, null::text
    from unnest(ids, outcomes) with ordinality i (id, outcome, place)
    where i.outcome > 0;
  end if;
  if true = any (detailed) then
    return query
    select i.place::int, 'created', false, i.id, all_ids[i.debit_place], all_ids[i.credit_place],
      asset_names[asset_places[i.debit_place]], i.amount, i.debit_version, i.credit_version,
      to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      coalesce((i.terms->>'effective_date')::date, (i.booked_at at time zone 'utc')::date)::text,
      to_char((i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)) at time zone 'utc',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    from unnest(ids, detailed, moved, debit_versions, credit_versions, booked, debit_of, credit_of, terms, outcomes)
      with ordinality i (id, is_detailed, amount, debit_version, credit_version, booked_at, debit_place, credit_place, terms,
        outcome, place)
    where i.outcome = 0 and i.is_detailed;
  end if;
  if false = any (fresh) then
    return query
    select r.place, r.result, r.replayed, r.id, r.debit_account_id, r.credit_account_id, r.asset, r.amount, r.debit_version,
      r.credit_version, r.booked_at, r.effective_date, r.expires_at
    from ledger.replay_items(tenant, fresh, keys_fresh, ids, ids_given, idempotency_keys, kinds, target_ids,
      account_ids, debit_places, credit_places, amounts, metadatas, terms) r;
    get diagnostics written = row_count;
    if written < cardinality(array_positions(fresh, false)) then
      raise exception 'a known item has left no transfer'; -- Without a row it would count as created.
    end if;
  end if;
end $function$;
alter function ledger.post_items(uuid[],boolean[],uuid[],text[],uuid[],uuid[],integer[],integer[],bigint[],jsonb[],jsonb[],boolean[],boolean[],uuid[],text[],text[],text[],text[],integer[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.replay_items(tenant uuid, fresh boolean[], keys_fresh boolean[], ids uuid[], ids_given boolean[], idempotency_keys uuid[], kinds text[], target_ids uuid[], account_ids uuid[], debit_places integer[], credit_places integer[], amounts bigint[], metadatas jsonb[], terms jsonb[])
 RETURNS SETOF ledger.posting_result
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
  with matched as (
    select i.place, known.id, known.refusal, known.debit_account_id, known.credit_account_id, known.asset, known.amount,
      known.debit_version, known.credit_version, known.booked_at, known.effective_date, known.expires_at,
      by_key.transfer_id is not null and not i.is_key_fresh as is_key_known,
      case
        when by_key.transfer_id is not null and (
            by_key.id_given <> i.id_given or (i.id_given and by_key.transfer_id <> i.id)
            or by_key.fingerprint <> sha256(convert_to(ledger.request_text(
              i.kind, i.target_id, account_ids[i.debit_place], account_ids[i.credit_place], i.amount, i.metadata, i.terms),
              'utf8')))
          then 'idempotency.key_reused'
        when i.kind <> known.kind then 'ledger.exists_with_different_kind'
        when i.target_id <> known.target_id then 'ledger.exists_with_different_target_id'
        when i.target_id is null and account_ids[i.debit_place] <> known.debit_account_id
          then 'ledger.exists_with_different_debit_account_id'
        when i.target_id is null and account_ids[i.credit_place] <> known.credit_account_id
          then 'ledger.exists_with_different_credit_account_id'
        when i.amount <> case
            when known.terms ? 'amount' then (known.terms->>'amount')::bigint
            when known.target_id is null then known.amount
            else 0
          end then 'ledger.exists_with_different_amount'
        when i.terms is distinct from known.terms then 'ledger.exists_with_different_' || (
          select min(t.name) from (values
            ('balancing'), ('effective_date'), ('linked'), ('min_balance_after'), ('timeout_seconds')) t (name)
          where i.terms->t.name is distinct from known.terms->t.name)
        when i.metadata <> known.metadata then 'ledger.exists_with_different_metadata'
      end as mismatch
    from unnest(fresh, keys_fresh, ids, ids_given, idempotency_keys, kinds, target_ids, debit_places, credit_places, amounts,
        metadatas, terms)
      with ordinality i (is_fresh, is_key_fresh, id, id_given, idempotency_key, kind, target_id, debit_place, credit_place,
        amount, metadata, terms, place)
    left join lateral (
      select k.transfer_id, k.id_given, k.fingerprint from ledger.keys k
      where k.tenant_id = tenant and k.idempotency_key = i.idempotency_key
      limit 1) by_key on true
    cross join lateral (
      select t.id, t.kind, t.target_id, t.debit_account_id, t.credit_account_id, t.amount, t.metadata, t.terms, t.refusal,
        t.asset, t.debit_version, t.credit_version, t.booked_at, t.effective_date, t.expires_at
      from ledger.transfers t
      where t.tenant_id = tenant and t.id = case when by_key.transfer_id is null then i.id else by_key.transfer_id end
      limit 1) known
    where not i.is_fresh
  )
  select m.place::int, coalesce(m.mismatch, m.refusal, 'exists'),
    m.mismatch is null or (m.is_key_known and m.mismatch <> 'idempotency.key_reused'), m.id, a.debit_account_id,
    a.credit_account_id, a.asset, a.amount, a.debit_version, a.credit_version,
    to_char(a.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.effective_date::text,
    to_char(a.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  from matched m
  left join lateral (select m.*) a on m.mismatch is null and m.refusal is null
$function$;
alter function ledger.replay_items(uuid,boolean[],boolean[],uuid[],boolean[],uuid[],text[],uuid[],uuid[],integer[],integer[],bigint[],jsonb[],jsonb[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.request_text(kind text, target_id uuid, debit_account_id uuid, credit_account_id uuid, amount bigint, metadata jsonb, terms jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select concat_ws('|', kind, coalesce(target_id::text, '-'), coalesce(debit_account_id::text, '-'),
    coalesce(credit_account_id::text, '-'), coalesce(amount, 0), coalesce(terms::text, '-'), metadata::text)
$function$;
alter function ledger.request_text(text,uuid,uuid,uuid,bigint,jsonb,jsonb) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.version_before(account uuid, instant timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
declare
  tenant constant uuid := tenancy.tenant_id();
  earlier bigint; -- The last version that is known to be booked before the instant.
  later bigint; -- The first that is known not to be, or the one that there is not yet.
  middle bigint;
  middle_at timestamptz;
begin
  select case when a.last_booked_at < instant then a.version else 0 end, a.version + 1 into earlier, later
  from ledger.accounts a
  where a.tenant_id = tenant and a.id = account;
  while earlier + 1 < later loop
    middle := earlier + (later - earlier) / 2;
    select l.booked_at into middle_at
    from (
      select t.booked_at from ledger.transfers t
      where t.tenant_id = tenant and t.debit_account_id = account and t.debit_version = middle and t.refusal is null
      union all
      select t.booked_at from ledger.transfers t
      where t.tenant_id = tenant and t.credit_account_id = account and t.credit_version = middle and t.refusal is null) l
    limit 1;
    if middle_at < instant then
      earlier := middle;
    else
      later := middle;
    end if;
  end loop;
  return earlier;
end $function$;
alter function ledger.version_before(uuid,timestamp with time zone) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION ledger.write_totals(rows_at tid[], versions bigint[], debits bigint[], credits bigint[], held_debits bigint[], held_credits bigint[], last_booked timestamp with time zone[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_indexscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
begin
  update ledger.accounts a
  set posted_debits = u.debits, posted_credits = u.credits, pending_debits = u.held_debits, pending_credits = u.held_credits,
    version = u.version, last_booked_at = u.last_booked_at
  from unnest(rows_at, versions, debits, credits, held_debits, held_credits, last_booked)
    u (row_at, version, debits, credits, held_debits, held_credits, last_booked_at)
  where a.ctid = u.row_at and a.tenant_id = (select tenancy.tenant_id()) and a.version <> u.version;
end $function$;
alter function ledger.write_totals(tid[],bigint[],bigint[],bigint[],bigint[],bigint[],timestamp with time zone[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION payments.keep_input()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  uuid_form constant text := '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
  begins constant jsonb := new.input;
begin
  if (begins->>'fromAccountId' ~ uuid_form
      and begins->>'amount' ~ '^[1-9][0-9]{0,18}$' and pg_input_is_valid(begins->>'amount', 'bigint')
      and begins->>'asset' ~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'
      and case new.name
        when 'payments.bank_payment' then begins->>'toIban' ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'
        else begins->>'toTenantId' ~ uuid_form and begins->>'toAccountId' ~ uuid_form
      end) is not true then
    raise exception 'no % begins so', new.name using errcode = 'HF003';
  end if;
  return new;
end $function$;
alter function payments.keep_input() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.begin_all(tenant uuid, ids uuid[], names text[], hashes text[], inputs jsonb[], deadlines double precision[], held boolean[], correlation_ids text[], traceparents text[], grants text[], states text[], backwards boolean[], places integer[], answers jsonb[], reasons text[], events integer[], timeouts double precision[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  insert into sagas.sagas (tenant_id, id, name, hash, input, deadline_at, fence, correlation_id, traceparent, started_by, started_at,
    state, backward, place, results, reason, version, step_deadline_at, ended_at, due_at, lease_until)
  select tenant, b.id, b.name, b.hash, b.input, clock_timestamp() + make_interval(secs => b.deadline_seconds),
    case when b.is_held then 1 else 0 end, b.correlation_id, b.traceparent,
    case when b.signed is null then (select tenancy.actor()) else tenancy.grant_actor(b.signed) end, transaction_timestamp(),
    b.state, b.backward, b.place, b.results, b.reason, 1 + b.events, clock_timestamp() + make_interval(secs => b.timeout_seconds),
    case when b.state in ('completed', 'compensated') then clock_timestamp() end,
    case when b.state in ('running', 'compensating') then clock_timestamp() end,
    case when b.is_held and b.state in ('running', 'compensating') then clock_timestamp() + interval '90 seconds' end
  from unnest(ids, names, hashes, inputs, deadlines, held, correlation_ids, traceparents, grants, states, backwards, places, answers,
    reasons, events, timeouts)
    b (id, name, hash, input, deadline_seconds, is_held, correlation_id, traceparent, signed, state, backward, place, results, reason,
      events, timeout_seconds);
end $function$;
alter function sagas.begin_all(uuid,uuid[],text[],text[],jsonb[],double precision[],boolean[],text[],text[],text[],text[],boolean[],integer[],jsonb[],text[],integer[],double precision[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.is_stuck(state text, deadline_at timestamp with time zone, due_at timestamp with time zone, lease_until timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
RETURN ((state = 'needs_operator'::text) OR ((state = ANY (ARRAY['running'::text, 'compensating'::text])) AND ((deadline_at <= clock_timestamp()) OR (GREATEST(due_at, lease_until) <= (clock_timestamp() - '00:05:00'::interval)))));
alter function sagas.is_stuck(text,timestamp with time zone,timestamp with time zone,timestamp with time zone) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.keep_beginnings()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- Who the grant names is asked only where one has moved, or is none that is begun so. A request's id beyond what a log can index would have
  -- every move refused. The minute is for a clock that is set meanwhile.
  if exists (
      select from begun b
      where case when (b.state, b.backward, b.place, b.intended, b.results, b.version, b.attempts, b.cancel_requested)
            <> ('running', false, 0, false, '{}', 1, 0, false)
          or b.fence not in (0, 1) or b.due_at > clock_timestamp() or b.lease_until > clock_timestamp() + interval '2 minutes'
          or least(b.due_at, b.started_at, b.deadline_at) < transaction_timestamp() - interval '1 minute'
          or b.started_at > clock_timestamp() + interval '1 minute' or b.deadline_at > clock_timestamp() + interval '100 years'
          or num_nonnulls(b.reason, b.last_error, b.awaits_type) > 0
          or b.name !~ '^[a-z][a-z0-9]{0,49}\.[a-z][a-z0-9_]{0,49}$' or b.hash !~ '^[0-9a-f]{16}$'
          or length(b.correlation_id) > 255 or length(b.traceparent) > 255 or length(b.started_by) > 255
          or octet_length(b.input::text) > 1048576
        then 'system:' || split_part(b.name, '.', 1) <> (select tenancy.actor()) end) then
    raise exception 'only its module moves a saga' using errcode = 'HF003';
  end if;
  return null;
end $function$;
alter function sagas.keep_beginnings() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.keep_module()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tenancy.actor() <> 'system:' || split_part(new.name, '.', 1) then
    raise exception 'only its module writes this of saga %', new.name using errcode = 'HF003';
  end if;
  return new;
end $function$;
alter function sagas.keep_module() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.keep_places()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  actor constant text := tenancy.actor();
  steered constant text[] := '{state,version,attempts,cancel_requested,due_at,lease_until,step_deadline_at}';
begin
  -- A lease is 90 seconds from when it was written; the rest is for a clock that is set back meanwhile.
  if exists (
      select from moved m
      where 'system:' || split_part(m.name, '.', 1) <> actor or m.lease_until > clock_timestamp() + interval '2 minutes') then
    -- One by itself, so that a move is not the dearer for it.
    if exists (
        select from moved m
        join were w on w.id = m.id
        cross join lateral (
          select coalesce(max(e.stream_version), 0) as newest
          from events.log e
          where e.tenant_id = m.tenant_id and e.stream_type = 'sagas.saga' and e.stream_id = m.id) l
        cross join lateral (
          select w.state = 'needs_operator' or w.version <> l.newest
            or coalesce(w.lease_until > statement_timestamp() + interval '90 seconds', false)
            or coalesce(w.due_at = 'infinity', false) as stood) s
        where not (to_jsonb(m) - steered = to_jsonb(w) - steered
          and (m.state = w.state
            or w.state = 'needs_operator' and m.state = case when w.backward then 'compensating' else 'running' end)
          and m.cancel_requested >= w.cancel_requested
          and m.version between l.newest and l.newest + s.stood::int + (m.cancel_requested > w.cancel_requested)::int
          and (m.attempts = w.attempts or s.stood and m.attempts = 0)
          and (m.step_deadline_at is not distinct from w.step_deadline_at or s.stood and m.step_deadline_at is null)
          and (m.lease_until is not distinct from w.lease_until or s.stood and m.lease_until is null)
          and (m.due_at is not distinct from w.due_at or m.due_at between transaction_timestamp() and clock_timestamp()))) then
      raise exception 'only its module moves a saga' using errcode = 'HF003';
    end if;
  end if;
  return null;
end $function$;
alter function sagas.keep_places() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION sagas.move_all(tenant uuid, ids uuid[], fences bigint[], versions bigint[], states text[], backwards boolean[], places integer[], intends boolean[], answers jsonb[], reasons text[], events integer[], timeouts double precision[], forced boolean[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  moved int;
begin
  -- What is indexed stays as it is but at the end, so that no index is written. `any` leads to the primary key whatever is known about
  -- the size of the table.
  update sagas.sagas s
  set state = m.state, backward = m.backward, place = m.place, intended = m.intended, results = s.results || m.results,
    reason = case when m.state = 'needs_operator' and m.backward then s.reason else coalesce(m.reason, s.reason) end,
    last_error = case m.state when 'needs_operator' then m.reason end, version = s.version + m.events, attempts = 0,
    ended_at = case when m.state in ('completed', 'compensated') then clock_timestamp() end,
    due_at = case when m.state in ('running', 'compensating') then least(s.due_at, clock_timestamp()) end,
    lease_until = case when m.state in ('running', 'compensating') then clock_timestamp() + interval '90 seconds' end,
    step_deadline_at = clock_timestamp() + make_interval(secs => m.timeout_seconds),
    awaits_stream_type = null, awaits_stream_id = null, awaits_type = null
  from unnest(ids, fences, versions, states, backwards, places, intends, answers, reasons, events, timeouts, forced)
    m (id, fence, version, state, backward, place, intended, results, reason, events, timeout_seconds, is_forced)
  where s.tenant_id = tenant and s.id = any (ids) and s.id = m.id and s.fence = m.fence and s.version = m.version
    and s.due_at is not null
    -- Who is late or asked to cancel changes nothing.
    and (m.is_forced or not s.cancel_requested and least(s.step_deadline_at, s.deadline_at) > clock_timestamp());
  get diagnostics moved = row_count;
  if moved < cardinality(ids) then
    raise exception 'of % sagas % are as they were known', cardinality(ids), moved using errcode = 'HF040';
  end if;
end $function$;
alter function sagas.move_all(uuid,uuid[],bigint[],bigint[],text[],boolean[],integer[],boolean[],jsonb[],text[],integer[],double precision[],boolean[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.act()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select nullif(split_part(tenancy.verified_principal(), '|', 4), '')
$function$;
alter function tenancy.act() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.actor()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select split_part(tenancy.verified_principal(), '|', 1)
$function$;
alter function tenancy.actor() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.begin_import(sha256 text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  own tenants.tenants;
  target regclass;
  found_row boolean;
begin
  if tenancy.actor() <> 'system:operator' then
    raise exception 'only the operator reads an export in' using errcode = 'HF003';
  end if;
  select t.* into own from tenants.tenants t where t.tenant_id = tenant for update;
  if own.import_sha256 = sha256 and own.imported_at is null then
    return;
  end if;
  for target in
    select t.relation from tenancy.tenant_tables() t
    where tenancy.is_exported(t.relation) and t.relation <> 'tenants.tenants'::regclass
  loop
    execute format('select exists (select from %s t where t.tenant_id = $1 %s)', target,
      case when target = 'events.log'::regclass then 'and (t.stream_type, t.stream_id) is distinct from (''tenants.tenant'', $1)' end)
      into found_row using tenant;
    if found_row or own.import_sha256 is not null then
      raise exception 'the tenant is not empty' using errcode = 'HF022';
    end if;
  end loop;
  update tenants.tenants t set import_sha256 = sha256 where t.tenant_id = tenant;
end $function$;
alter function tenancy.begin_import(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.count_rows()
 RETURNS TABLE(relation text, row_count bigint)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.erasing_tenant();
  target regclass;
begin
  for target in select t.relation from tenancy.tenant_tables() t order by t.relation::text loop
    relation := target::text;
    execute format('select count(*) from %s t where t.tenant_id = $1', target) into row_count using tenant;
    return next;
  end loop;
end $function$;
alter function tenancy.count_rows() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.enter(signed_grant text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  signed bytea := convert_to(signed_grant, 'utf8');
  body bytea := substr(signed, 65);
  k bytea := (
    select s.secret from tenancy.signing_keys s
    where s.id = substr(signed_grant, 65, 4) and (s.retired_at is null or s.retired_at > clock_timestamp()));
  context text;
begin
  execute 'close all; reset all'; -- Of this function's search_path as well; pg_catalog is searched first on every path.
  perform pg_advisory_unlock_all();
  context := case
    when encode(substr(signed, 1, 64), 'escape') = encode(sha384(k || body), 'base64')
      and encode(substr(signed, 105, 16), 'escape') collate "C" > encode(timestamptz_send(clock_timestamp()), 'hex')
    then encode(sha384(k || timestamptz_send(transaction_timestamp()) || body), 'base64') || encode(body, 'escape') end;
  if context is null then
    -- Says what is wrong with it, or finds a genuine one of the release before.
    context := encode(sha384(k || timestamptz_send(transaction_timestamp())
      || convert_to(tenancy.verified_grant(signed_grant), 'utf8')), 'base64') || substr(signed_grant, 65);
  end if;
  context := set_config('holdfast.context', context, true);
end $function$;
alter function tenancy.enter(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.erase_page(rows_max integer)
 RETURNS TABLE(relation text, row_count bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.erasing_tenant();
  target regclass;
begin
  delete from tenants.tasks t where t.tenant_id = tenant and t.kind <> 'erasure'; -- A handful: no exports are made any more.
  for target in
    select t.relation from tenancy.tenant_tables() t
    where t.relation <> 'tenants.tasks'::regclass
    order by t.relation <> 'events.heads'::regclass, t.depth desc, t.relation::text
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
end $function$;
alter function tenancy.erase_page(integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.erasing_tenant()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
begin
  if tenancy.actor() <> 'system:eraser'
     or not exists (select from auth.tenants t where t.id = tenant and t.state = 'erasing') then
    raise exception 'only the eraser does this, in a tenant that is being erased' using errcode = 'HF003';
  end if;
  return tenant;
end $function$;
alter function tenancy.erasing_tenant() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.export_page(file text, after jsonb, rows_max integer, bytes_max integer)
 RETURNS TABLE(line text, place jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  target regclass := (
    select t.relation from tenancy.tenant_tables() t
    where t.relation::text = file and not exists (select from tenancy.not_exported n where n.relation = file));
  keys text[] := case when file = 'events.log' then array['seq'] else array(
    select a.attname
    from pg_index x
    cross join unnest(x.indkey) with ordinality k (attnum, place)
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
    where x.indrelid = target and x.indisprimary and a.attname <> 'tenant_id'
    order by k.place) end;
  listed text := (select string_agg(format('t.%I', k), ', ') from unnest(keys) k);
  behind text := (select string_agg(format('(jsonb_populate_record(null::%s, $2)).%I', target, k), ', ') from unnest(keys) k);
begin
  if target is null then
    raise exception 'no table of tenants that is exported has this name' using errcode = 'HF002';
  end if;
  if after is not null and listed is null then
    return; -- One row per tenant, and that one has been read.
  end if;
  return query execute format(
    'select p.line, p.place
     from (
       select r.line, r.place, r.ordinal,
         sum(octet_length(r.line)) over (order by r.ordinal rows between unbounded preceding and 1 preceding) as before
       from (
         select to_jsonb(t)::text as line, jsonb_build_object(%s) as place, row_number() over (order by %s) as ordinal
         from (select t.* from %s t where t.tenant_id = $1 %s order by %s limit $3) t
       ) r
     ) p
     where coalesce(p.before, 0) < $4
     order by p.ordinal',
    (select string_agg(format('%L, t.%I', k, k), ', ') from unnest(keys) k),
    coalesce(listed, 't.tenant_id'),
    target,
    case when after is not null then format('and (%s) > (%s)', listed, behind) end,
    concat_ws(', ', 't.tenant_id', listed))
  using tenancy.tenant_id(), after, rows_max, bytes_max;
end $function$;
alter function tenancy.export_page(text,jsonb,integer,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.export_tables()
 RETURNS TABLE(relation text, row_count bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  found record;
begin
  for found in
    select t.relation as target from tenancy.tenant_tables() t
    where has_table_privilege(t.relation, 'select')
      and not exists (select from tenancy.not_exported n where n.relation = t.relation::text)
    order by t.depth, t.relation::text
  loop
    relation := found.target::text;
    execute format('select count(*) from %s t where t.tenant_id = $1', found.target) into row_count using tenant;
    return next;
  end loop;
end $function$;
alter function tenancy.export_tables() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.finish_import(sha256 text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tenancy.actor() <> 'system:operator' then
    raise exception 'only the operator reads an export in' using errcode = 'HF003';
  end if;
  update tenants.tenants t set imported_at = clock_timestamp()
  where t.tenant_id = tenancy.tenant_id() and t.import_sha256 = sha256 and t.imported_at is null;
  if not found then
    raise exception 'the tenant was not opened for this export' using errcode = 'HF022';
  end if;
end $function$;
alter function tenancy.finish_import(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.grant_actor(signed_grant text)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select split_part(tenancy.grant_principal(signed_grant), '|', 1)
$function$;
alter function tenancy.grant_actor(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.grant_principal(signed_grant text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  body text := tenancy.verified_grant(signed_grant);
begin
  if substr(body, 5, 36)::uuid <> tenancy.tenant_id() then
    raise exception 'tenant grant refused' using errcode = 'HF001';
  end if;
  return substr(body, 57);
end $function$;
alter function tenancy.grant_principal(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.import_page(file text, lines text[])
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  target regclass := to_regclass(file);
  listed text;
  picked text;
  stored bigint;
begin
  if tenancy.actor() <> 'system:operator' or not exists (
      select from tenants.tenants t where t.tenant_id = tenant and t.import_sha256 is not null and t.imported_at is null) then
    raise exception 'only the operator reads an export in, into a tenant that was opened for it' using errcode = 'HF003';
  end if;
  if target is null or target = 'tenants.tenants'::regclass or not tenancy.is_exported(target) then
    raise exception 'no table of tenants that is exported has this name' using errcode = 'HF002';
  end if;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum), string_agg(format('r.%I', a.attname), ', ' order by a.attnum)
  into listed, picked
  from pg_attribute a
  where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
    and a.attname not in ('tenant_id', 'xid')
    and not (target = 'ledger.accounts'::regclass and a.attname = 'owner');
  execute format(
    'insert into %1$s (tenant_id, %2$s %3$s)
     select $1, %4$s %5$s
     from unnest($2) with ordinality l (line, place)
     cross join lateral jsonb_populate_record(null::%1$s, l.line::jsonb) r
     order by l.place
     on conflict do nothing',
    target, listed, case when target = 'events.log'::regclass then ', xid' end,
    picked, case when target = 'events.log'::regclass then ', pg_current_xact_id()' end)
    using tenant, lines;
  get diagnostics stored = row_count;
  return stored;
end $function$;
alter function tenancy.import_page(text,text[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.is_exported(target regclass)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select has_table_privilege('holdfast_app', target, 'select')
    and exists (select from tenancy.tenant_tables() t where t.relation = target)
    and not exists (select from tenancy.not_exported n where n.relation = target::text)
$function$;
alter function tenancy.is_exported(regclass) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.mint(tenant uuid, actor text, scopes text[], expires_at timestamp with time zone, cause text DEFAULT ''::text, act text DEFAULT ''::text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  signing record;
  body text;
begin
  -- Printable ASCII only, which every client encoding writes the same; a bar would end a part, a blank end a scope, and a
  -- backslash begins an escape where bytes are shown as text.
  if tenant is null or concat(actor, array_to_string(scopes, ''), cause, act) collate "C" ~ '[^ -{}~]|\\'
     or array_to_string(scopes, '') ~ ' ' then
    raise exception 'a grant needs a tenant, and its parts are printable ASCII without bars' using errcode = 'HF002';
  end if;
  select s.id, s.secret into strict signing from tenancy.signing_keys s where s.retired_at is null;
  body := signing.id || tenant::text || encode(timestamptz_send(expires_at), 'hex')
    || concat_ws('|', actor, array_to_string(scopes, ' '), coalesce(cause, ''), coalesce(act, ''),
      coalesce((select t.plan from auth.tenants t where t.id = tenant), 'standard'));
  return encode(sha384(signing.secret || convert_to(body, 'utf8')), 'base64') || body;
end $function$;
alter function tenancy.mint(uuid,text,text[],timestamp with time zone,text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.note_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := (select c.tenant_id from changed c limit 1);
  place tid;
begin
  if tenant is not null then
    insert into tenancy.changes (tenant, change)
    values (tenant, format('%s of %s.%s', lower(tg_op), tg_table_schema, tg_table_name))
    returning ctid into place;
    delete from tenancy.changes c where c.ctid = place;
  end if;
  return null;
end $function$;
alter function tenancy.note_changes() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.note_transfers()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := (select c.tenant_id from changed c where c.refusal is null limit 1);
  place tid;
begin
  if tenant is not null then
    insert into tenancy.changes (tenant, change) values (tenant, lower(tg_op) || ' of ledger.transfers') returning ctid into place;
    delete from tenancy.changes c where c.ctid = place;
  end if;
  return null;
end $function$;
alter function tenancy.note_transfers() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.plan_alike(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('alter table %s alter column tenant_id set statistics 0', target);
  -- What was counted before stays otherwise. Below PostgreSQL 18 only a superuser can, by deleting from pg_statistic.
  if to_regprocedure('pg_catalog.pg_clear_attribute_stats(text, text, text, boolean)') is not null then
    perform pg_clear_attribute_stats(n.nspname::text, c.relname::text, 'tenant_id', false)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = target;
  end if;
end $function$;
alter function tenancy.plan_alike(regclass) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.protect(target regclass, readers name[] DEFAULT '{}'::name[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  members text := (
    select string_agg(quote_ident(m), ', ') from unnest(array['holdfast_owner', 'holdfast_app', 'holdfast_ops']::name[]) m
    where m <> all (readers));
  reader name;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant_isolation on %s as restrictive for all to %s '
    'using (tenant_id = (select tenancy.tenant_id())) with check (tenant_id = (select tenancy.tenant_id()))', target, members);
  execute format('create policy tenant_access on %s as permissive for all to %s using (true) with check (true)', target, members);
  foreach reader in array readers loop
    execute format('create policy %I on %s as permissive for select to %I using (true)', reader || '_reads', target, reader);
  end loop;
  perform tenancy.plan_alike(target);
end $function$;
alter function tenancy.protect(regclass,name[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.prune_log(announced uuid, from_leaf bigint, leaf_count integer)
 RETURNS TABLE(next_leaf bigint, deleted bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.tenant_id();
  days int;
  said record;
  ended record;
  consumed pg_snapshot;
  ids uuid[];
  gone uuid[];
begin
  if tenancy.actor() is distinct from 'system:pruner' then
    raise exception 'only the retention prunes the log' using errcode = 'HF033';
  end if;
  select r.keep_days into days from audit.retention r where r.tenant_id = tenant for update;
  if days is null or exists (select from audit.legal_holds h where h.tenant_id = tenant and h.lifted_at is null) then
    return query select null::bigint, 0::bigint;
    return;
  end if;
  select e.seq, (e.data->>'epoch')::int as epoch, (e.data->>'prunedTo')::bigint as pruned_to into said
  from events.log e
  where e.tenant_id = tenant and e.id = announced and e.type = 'audit.log.pruned' and e.actor = 'system:pruner';
  if said.seq is null or from_leaf < 1 or leaf_count not between 1 and 4096 or from_leaf >= said.pruned_to
    or said.pruned_to > (
      select max(c.size) from audit.checkpoints c where c.tenant_id = tenant and c.epoch = said.epoch) then
    raise exception 'no event says that these leaves are pruned' using errcode = 'HF033';
  end if;
  if not exists (
      select from audit.leaves l
      where l.tenant_id = tenant and l.high_seq >= said.seq and l.first_seq <= said.seq
        and l.tile * 256 + array_position(l.event_ids, announced) - 1 < (
          select max(c.size) from audit.checkpoints c where c.tenant_id = tenant and c.epoch = l.epoch)) then
    raise exception 'the event that says so is not under a checkpoint' using errcode = 'HF033';
  end if;
  ids := array(
    select i.event_id
    from audit.leaves l
    cross join lateral unnest(l.event_ids) with ordinality i (event_id, at)
    where l.tenant_id = tenant and l.epoch = said.epoch
      and l.tile between from_leaf / 256 and (from_leaf + leaf_count - 1) / 256
      and l.tile * 256 + i.at - 1 >= from_leaf
      and l.tile * 256 + i.at - 1 < least(from_leaf + leaf_count, said.pruned_to));
  consumed := events.consumed_snapshot(tenant);
  if consumed is null or exists (
      select from events.log e
      where e.tenant_id = tenant and e.id = any (ids)
        and (e.occurred_at >= clock_timestamp() - make_interval(days => days) or not pg_visible_in_snapshot(e.xid, consumed))) then
    return query select null::bigint, 0::bigint;
    return;
  end if;
  update audit.epochs p set pruned_to = said.pruned_to
  where p.tenant_id = tenant and p.epoch = said.epoch and p.pruned_to < said.pruned_to;
  -- With each what was left of its stream before it, so that what stays of a stream is its end without a gap.
  gone := '{}';
  for ended in
    select p.stream_type, p.stream_id, max(p.stream_version) as through
    from (
      select v.stream_type, v.stream_id, v.stream_version, (
        select max(n.stream_version) from events.log n
        where n.tenant_id = tenant and n.stream_type = v.stream_type and n.stream_id = v.stream_id) as newest
      from events.log v
      where v.tenant_id = tenant and v.id = any (ids)) p
    where p.stream_version < p.newest
    group by p.stream_type, p.stream_id
  loop
    with pruned as (
      delete from events.log e
      where e.tenant_id = tenant and e.stream_type = ended.stream_type and e.stream_id = ended.stream_id
        and e.stream_version <= ended.through
      returning e.id)
    select gone || coalesce(array_agg(p.id), '{}') into gone from pruned p;
  end loop;
  delete from audit.disclosures d where d.tenant_id = tenant and d.event_id = any (gone);
  return query select least(from_leaf + leaf_count, said.pruned_to), cardinality(gone)::bigint;
end $function$;
alter function tenancy.prune_log(uuid,bigint,integer) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.record(target regclass, only_inserts text DEFAULT 'true'::text, only_updates text DEFAULT 'true'::text, only_deletes text DEFAULT 'true'::text, asked text DEFAULT 'current_user <> ''holdfast_owner'''::text, tenant_column text DEFAULT 'tenant_id'::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  change record;
begin
  for change in
    select c.name, c.condition
    from (values ('insert', only_inserts), ('update', only_updates), ('delete', only_deletes)) c (name, condition)
    where c.condition <> 'false'
  loop
    execute format(
      'create constraint trigger recorded_%1$s after %1$s on %2$s deferrable initially deferred for each row
       when (%3$s and current_setting(''is_superuser'') = ''off'' and (%4$s))
       execute function tenancy.require_event(%5$s)', change.name, target, asked, change.condition,
      case when tenant_column <> 'tenant_id' then quote_literal(tenant_column) end);
  end loop;
end $function$;
alter function tenancy.record(regclass,text,text,text,text,text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.record_batches(target regclass, noted_by regprocedure DEFAULT 'tenancy.note_changes()'::regprocedure)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  change record;
begin
  for change in select c.name, c.side from (values ('insert', 'new'), ('update', 'new'), ('delete', 'old')) c (name, side) loop
    execute format(
      'create trigger recorded_%1$s after %1$s on %2$s referencing %3$s table as changed for each statement
       when (current_user <> ''holdfast_owner'' and current_setting(''is_superuser'') = ''off'')
       execute function %4$s', change.name, target, change.side, noted_by);
  end loop;
end $function$;
alter function tenancy.record_batches(regclass,regprocedure) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.refuse_strangers(tenant uuid, types text[], stream_types text[], stream_ids uuid[], stream_versions bigint[], actors text[], grant_of integer[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  strange text;
begin
  select format('%s/%s %s', e.stream_type, e.stream_id, e.stream_version) into strange
  from unnest(types, stream_types, stream_ids, stream_versions) with ordinality
    e (type, stream_type, stream_id, stream_version, place)
  cross join lateral (select actors[coalesce(grant_of[e.place], 1)] as actor) teller
  where case e.stream_type
      when 'sagas.saga' then not exists (
        -- In the order of ids, so that the primary key leads to it, whatever was known about the size of the table.
        select from (
          select f.id, f.name, f.version from sagas.sagas f
          where f.tenant_id = tenant and f.id >= e.stream_id
          order by f.id
          limit 1) s
        where s.id = e.stream_id and s.version >= e.stream_version
          and (teller.actor = 'system:' || split_part(s.name, '.', 1)
            or e.type in ('sagas.saga.started', 'sagas.saga.cancel_requested', 'sagas.saga.retried')))
      when 'sagas.participation' then not exists (
        select from sagas.participations p
        where p.tenant_id = tenant and p.id = e.stream_id and p.version >= e.stream_version
          and teller.actor = 'system:' || split_part(p.name, '.', 1))
      when 'payments.payment' then
        teller.actor <> 'system:payments' and (e.type, e.stream_version) <> ('payments.payment.requested', 1)
    end
  limit 1;
  if strange is not null then
    raise exception 'only its module tells of %', strange using errcode = 'HF003';
  end if;
end $function$;
alter function tenancy.refuse_strangers(uuid,text[],text[],uuid[],bigint[],text[],integer[]) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.refuse_unannounced(tenant uuid, change text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if not exists (
      select from (select e.tenant_id from events.log e where e.xid = pg_current_xact_id() offset 0) own
      where own.tenant_id = tenant) then
    raise exception '% was not announced', change using errcode = 'HF030';
  end if;
end $function$;
alter function tenancy.refuse_unannounced(uuid,text) owner to holdfast_log;

CREATE OR REPLACE FUNCTION tenancy.refuse_unannounced(tenant uuid, kind text, stream uuid, version bigint, change text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if not exists (
      select from (
        -- The newest up to it, which is found by the unique key, whatever was known about the size of the log.
        select e.xid, e.stream_version from events.log e
        where e.tenant_id = tenant and e.stream_type = kind and e.stream_id = stream and e.stream_version <= version
        order by e.stream_version desc
        limit 1) told
      where told.stream_version = version and told.xid = pg_current_xact_id()) then
    raise exception '% was not announced as version % of its stream', change, version using errcode = 'HF030';
  end if;
end $function$;
alter function tenancy.refuse_unannounced(uuid,text,uuid,bigint,text) owner to holdfast_log;

CREATE OR REPLACE FUNCTION tenancy.require_event()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  change constant text := format('%s of %s.%s', lower(tg_op), tg_table_schema, tg_table_name);
begin
  if tg_nargs = 0 then
    perform tenancy.refuse_unannounced(coalesce(new.tenant_id, old.tenant_id), change);
  elsif tg_nargs = 1 then
    perform tenancy.refuse_unannounced((to_jsonb(coalesce(new, old))->>tg_argv[0])::uuid, change);
  else
    perform tenancy.refuse_unannounced(new.tenant_id, tg_argv[1], new.id, new.version, change);
  end if;
  return null;
end $function$;
alter function tenancy.require_event() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.require_event_of_statement()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tenancy.refuse_unannounced(new.tenant, new.change);
  return null;
end $function$;
alter function tenancy.require_event_of_statement() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.require_system()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tenancy.actor() <> 'system:' || tg_argv[0] then
    raise exception 'only % writes so in %.%', tg_argv[0], tg_table_schema, tg_table_name using errcode = 'HF003';
  end if;
  return new; -- Which is null for a whole statement.
end $function$;
alter function tenancy.require_system() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.rotate_signing_key()
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key_id text;
begin
  lock table tenancy.signing_keys in share row exclusive mode;
  delete from tenancy.signing_keys where retired_at < clock_timestamp() - interval '1 day';
  update tenancy.signing_keys set retired_at = clock_timestamp() + interval '10 minutes' where retired_at is null;
  select lpad(((coalesce(max(id)::int, 0) + 1) % 10000)::text, 4, '0') into key_id
  from (select id from tenancy.signing_keys order by created_at desc limit 1) newest;
  -- 244 random bits of the operating system's generator, folded to the length of a key.
  insert into tenancy.signing_keys (id, secret)
  values (key_id, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
  return key_id;
end $function$;
alter function tenancy.rotate_signing_key() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.scopes()
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select string_to_array(split_part(tenancy.verified_principal(), '|', 2), ' ')
$function$;
alter function tenancy.scopes() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.settings()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select t.settings from tenants.tenants t where t.tenant_id = tenancy.tenant_id()
$function$;
alter function tenancy.settings() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.store_receipt(receipt text, verified_by jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  tenant uuid := tenancy.erasing_tenant();
begin
  if exists (select from tenancy.count_rows() c where c.row_count > 0) then
    raise exception 'there are rows of the tenant left' using errcode = 'HF021';
  end if;
  insert into tenants.erasure_receipts (erased_id, receipt, verified_by) values (tenant, $1, $2);
end $function$;
alter function tenancy.store_receipt(text,jsonb) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.tenant_id()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  context text := current_setting('holdfast.context', true);
  signed bytea := convert_to(context, 'utf8');
  k bytea := (select s.secret from tenancy.signing_keys s where s.id = substr(context, 65, 4));
begin
  if encode(substr(signed, 1, 64), 'escape')
      = encode(sha384(k || timestamptz_send(transaction_timestamp()) || substr(signed, 65)), 'base64') then
    return encode(substr(signed, 69, 36), 'escape')::uuid;
  end if;
  raise exception 'no tenant context' using errcode = 'HF001';
end $function$;
alter function tenancy.tenant_id() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.tenant_tables()
 RETURNS TABLE(relation regclass, depth integer)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with recursive tenant_table as (
    select c.oid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relkind = 'r' and n.nspname not in ('information_schema', 'jobs') and n.nspname !~ '^pg_'
  ), standing (oid, depth) as (
    select t.oid, 0 from tenant_table t
    union
    select k.conrelid, s.depth + 1
    from standing s
    join pg_constraint k on k.contype = 'f' and k.confrelid = s.oid and k.conrelid <> k.confrelid
    where s.depth < 20
  )
  select t.oid::regclass, max(s.depth)
  from tenant_table t
  join standing s on s.oid = t.oid
  group by t.oid
$function$;
alter function tenancy.tenant_tables() owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.verified_grant(signed_grant text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  body bytea := convert_to(substr(signed_grant, 65), 'utf8');
  k bytea := (
    select s.secret from tenancy.signing_keys s
    where s.id = substr(signed_grant, 65, 4) and (s.retired_at is null or s.retired_at > clock_timestamp()));
begin
  if k is null or substr(signed_grant, 1, 64) not in (
      encode(sha384(k || body), 'base64'), encode(sha256(k || sha256(k || body)), 'hex')) then
    raise exception 'tenant grant refused' using errcode = 'HF001';
  end if;
  if substr(signed_grant, 105, 16) collate "C" <= encode(timestamptz_send(clock_timestamp()), 'hex') then
    raise exception 'tenant grant expired' using errcode = 'HF001';
  end if;
  return substr(signed_grant, 65);
end $function$;
alter function tenancy.verified_grant(text) owner to holdfast_owner;

CREATE OR REPLACE FUNCTION tenancy.verified_principal()
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform tenancy.tenant_id();
  return substr(current_setting('holdfast.context', true), 121);
end $function$;
alter function tenancy.verified_principal() owner to holdfast_owner;

-- Publications

create publication holdfast_events for table events.log with (publish = 'insert');

-- Grants (what an owner may do with its own is left out)

grant execute on function audit.instant_text(timestamp with time zone) to holdfast_app;
grant execute on function audit.instant_text(timestamp with time zone) to holdfast_ops;
grant execute on function audit.instant_text(timestamp with time zone) to holdfast_sealer;
grant execute on function auth.end_membership(uuid) to holdfast_app;
grant execute on function auth.grant_for_key(text) to holdfast_auth;
grant execute on function auth.grant_for_member(text,text,uuid) to holdfast_auth;
grant execute on function auth.grant_for_system(text,uuid,text,text) to holdfast_auth;
grant execute on function auth.open_support_access(uuid,bytea,text[],integer,uuid,boolean) to holdfast_app;
grant execute on function auth.own_tenant() to holdfast_app;
grant execute on function auth.owners_of_keys(bytea[]) to holdfast_auth;
grant execute on function auth.register_receipt_key(bytea,interval,text) to holdfast_auth;
grant execute on function auth.revocation_counter() to holdfast_auth;
grant execute on function auth.revoke_credential(uuid) to holdfast_app;
grant execute on function auth.revoke_credential(uuid) to holdfast_ops;
grant execute on function auth.rotate_credential(uuid,bytea,interval) to holdfast_app;
grant execute on function auth.set_memberships(uuid[],text[]) to holdfast_app;
grant execute on function auth.set_tenant(text,text) to holdfast_app;
grant execute on function auth.settling_grant_for_key(text) to holdfast_auth;
grant execute on function auth.settling_grant_for_member(text,text,uuid) to holdfast_auth;
grant execute on function auth.store_credential(uuid,bytea,text[],timestamp with time zone) to holdfast_app;
grant execute on function auth.store_credential(uuid,bytea,text[],timestamp with time zone) to holdfast_ops;
grant execute on function auth.store_membership(text,text,uuid,text[]) to holdfast_app;
grant execute on function auth.tenant_named(text) to holdfast_auth;
grant execute on function auth.tenants_of(text,text) to holdfast_auth;
grant execute on function events.append(uuid[],text[],integer[],text[],uuid[],bigint[],jsonb[],text[],text[],text[],text[],integer[]) to holdfast_app;
grant execute on function events.append(uuid[],text[],integer[],text[],uuid[],bigint[],jsonb[],text[],text[],text[],text[],integer[]) to holdfast_ops;
grant execute on function events.bump_epoch(text,text) to holdfast_ops;
grant execute on function events.consumed_snapshot(uuid) to holdfast_app;
grant execute on function events.read_range(bigint,bigint,bigint,bigint,integer) to holdfast_relay;
grant execute on function events.read_tenant_range(uuid,bigint,bigint,bigint,integer) to holdfast_app;
grant execute on function events.read_tenant_span(uuid,pg_snapshot,pg_snapshot,bigint,integer) to holdfast_app;
grant execute on function events.read_tenant_span(uuid,pg_snapshot,pg_snapshot,bigint,integer) to holdfast_sealer;
grant execute on function events.take_page(uuid,text,integer) to holdfast_app;
grant execute on function events.tick(text,bigint,integer) to holdfast_relay;
grant execute on function events.verify_lineage(pg_lsn,integer,boolean) to holdfast_relay;
grant execute on function ledger.balances_at(uuid,bigint) to holdfast_app;
grant execute on function ledger.clock() to holdfast_app;
grant execute on function ledger.clock() to holdfast_relay;
grant execute on function ledger.drop_timeouts(tid[]) to holdfast_app;
grant execute on function ledger.post_batch(uuid[],boolean[],uuid[],uuid[],uuid[],bigint[],jsonb[],uuid[],text[],text[],text[],text[],integer[]) to holdfast_app;
grant execute on function ledger.post_items(uuid[],boolean[],uuid[],text[],uuid[],uuid[],integer[],integer[],bigint[],jsonb[],jsonb[],boolean[],boolean[],uuid[],text[],text[],text[],text[],integer[]) to holdfast_app;
grant execute on function ledger.replay_items(uuid,boolean[],boolean[],uuid[],boolean[],uuid[],text[],uuid[],uuid[],integer[],integer[],bigint[],jsonb[],jsonb[]) to holdfast_app;
grant execute on function ledger.request_text(text,uuid,uuid,uuid,bigint,jsonb,jsonb) to holdfast_app;
grant execute on function ledger.version_before(uuid,timestamp with time zone) to holdfast_app;
grant execute on function ledger.write_totals(tid[],bigint[],bigint[],bigint[],bigint[],bigint[],timestamp with time zone[]) to holdfast_app;
grant execute on function sagas.begin_all(uuid,uuid[],text[],text[],jsonb[],double precision[],boolean[],text[],text[],text[],text[],boolean[],integer[],jsonb[],text[],integer[],double precision[]) to holdfast_app;
grant execute on function sagas.is_stuck(text,timestamp with time zone,timestamp with time zone,timestamp with time zone) to holdfast_app;
grant execute on function sagas.is_stuck(text,timestamp with time zone,timestamp with time zone,timestamp with time zone) to holdfast_ops;
grant execute on function sagas.is_stuck(text,timestamp with time zone,timestamp with time zone,timestamp with time zone) to holdfast_relay;
grant execute on function sagas.move_all(uuid,uuid[],bigint[],bigint[],text[],boolean[],integer[],boolean[],jsonb[],text[],integer[],double precision[],boolean[]) to holdfast_app;
grant execute on function tenancy.act() to holdfast_app;
grant execute on function tenancy.act() to holdfast_log;
grant execute on function tenancy.act() to holdfast_ops;
grant execute on function tenancy.actor() to holdfast_app;
grant execute on function tenancy.actor() to holdfast_log;
grant execute on function tenancy.actor() to holdfast_ops;
grant execute on function tenancy.begin_import(text) to holdfast_app;
grant execute on function tenancy.count_rows() to holdfast_app;
grant execute on function tenancy.enter(text) to holdfast_app;
grant execute on function tenancy.enter(text) to holdfast_log;
grant execute on function tenancy.enter(text) to holdfast_ops;
grant execute on function tenancy.erase_page(integer) to holdfast_app;
grant execute on function tenancy.export_page(text,jsonb,integer,integer) to holdfast_app;
grant execute on function tenancy.export_tables() to holdfast_app;
grant execute on function tenancy.finish_import(text) to holdfast_app;
grant execute on function tenancy.grant_actor(text) to holdfast_app;
grant execute on function tenancy.grant_actor(text) to holdfast_log;
grant execute on function tenancy.grant_actor(text) to holdfast_ops;
grant execute on function tenancy.grant_principal(text) to holdfast_app;
grant execute on function tenancy.grant_principal(text) to holdfast_log;
grant execute on function tenancy.grant_principal(text) to holdfast_ops;
grant execute on function tenancy.import_page(text,text[]) to holdfast_app;
grant execute on function tenancy.prune_log(uuid,bigint,integer) to holdfast_app;
grant execute on function tenancy.refuse_strangers(uuid,text[],text[],uuid[],bigint[],text[],integer[]) to holdfast_log;
grant execute on function tenancy.refuse_unannounced(uuid,text) to holdfast_owner;
grant execute on function tenancy.refuse_unannounced(uuid,text,uuid,bigint,text) to holdfast_owner;
grant execute on function tenancy.rotate_signing_key() to holdfast_ops;
grant execute on function tenancy.scopes() to holdfast_app;
grant execute on function tenancy.scopes() to holdfast_log;
grant execute on function tenancy.scopes() to holdfast_ops;
grant execute on function tenancy.settings() to holdfast_app;
grant execute on function tenancy.store_receipt(text,jsonb) to holdfast_app;
grant execute on function tenancy.tenant_id() to holdfast_app;
grant execute on function tenancy.tenant_id() to holdfast_log;
grant execute on function tenancy.tenant_id() to holdfast_ops;
grant execute on function tenancy.tenant_tables() to holdfast_app;
grant execute on function tenancy.verified_principal() to holdfast_log;
grant usage on schema audit to holdfast_app;
grant usage on schema audit to holdfast_ops;
grant usage on schema audit to holdfast_relay;
grant usage on schema audit to holdfast_sealer;
grant usage on schema auth to holdfast_app;
grant usage on schema auth to holdfast_auth;
grant usage on schema auth to holdfast_ops;
grant usage on schema drills to holdfast_auth;
grant usage on schema drills to holdfast_ops;
grant usage on schema drills to holdfast_relay;
grant usage on schema events to holdfast_app;
grant usage on schema events to holdfast_log;
grant usage on schema events to holdfast_ops;
grant usage on schema events to holdfast_relay;
grant usage on schema events to holdfast_sealer;
grant usage on schema idempotency to holdfast_app;
grant usage on schema idempotency to holdfast_ops;
grant usage on schema identity to holdfast_app;
grant usage on schema identity to holdfast_ops;
grant usage on schema ledger to holdfast_app;
grant usage on schema ledger to holdfast_ops;
grant usage on schema ledger to holdfast_relay;
grant usage on schema payments to holdfast_app;
grant usage on schema payments to holdfast_relay;
grant usage on schema sagas to holdfast_app;
grant usage on schema sagas to holdfast_ops;
grant usage on schema sagas to holdfast_relay;
grant usage on schema telemetry to holdfast_app;
grant usage on schema telemetry to holdfast_auth;
grant usage on schema tenancy to holdfast_app;
grant usage on schema tenancy to holdfast_log;
grant usage on schema tenancy to holdfast_ops;
grant usage on schema tenants to holdfast_app;
grant usage on schema tenants to holdfast_ops;
grant usage on schema tenants to holdfast_relay;
grant usage on schema webhooks to holdfast_app;
grant usage on schema webhooks to holdfast_relay;
grant delete, insert, select, update on table audit.breaks to holdfast_app;
grant select on table audit.breaks to holdfast_ops;
grant select on table audit.breaks (tenant_id) to holdfast_relay;
grant select on table audit.checkpoints to holdfast_app;
grant select on table audit.checkpoints to holdfast_ops;
grant insert, select, update on table audit.checkpoints to holdfast_sealer;
grant insert, select, update on table audit.cosignatures to holdfast_app;
grant select on table audit.cosignatures to holdfast_ops;
grant delete, insert, select on table audit.disclosures to holdfast_app;
grant select on table audit.epochs to holdfast_app;
grant select on table audit.epochs to holdfast_ops;
grant insert, select on table audit.epochs to holdfast_sealer;
grant delete, insert, select on table audit.export_chunks to holdfast_app;
grant select on table audit.export_chunks to holdfast_ops;
grant insert, select, update on table audit.exports to holdfast_app;
grant select on table audit.exports to holdfast_ops;
grant select on table audit.leaves to holdfast_app;
grant select on table audit.leaves to holdfast_ops;
grant delete, insert, select, update on table audit.leaves to holdfast_sealer;
grant insert, select, update on table audit.legal_holds to holdfast_app;
grant select on table audit.log_keys to holdfast_app;
grant select on table audit.log_keys to holdfast_ops;
grant insert, select, update on table audit.log_keys to holdfast_sealer;
grant delete, insert, select, update on table audit.offers to holdfast_app;
grant select on table audit.offers (due_at) to holdfast_relay;
grant select on table audit.offers (failures) to holdfast_relay;
grant select on table audit.offers (lease_until) to holdfast_relay;
grant select on table audit.offers (tenant_id) to holdfast_relay;
grant select on table audit.offers (tick) to holdfast_relay;
grant select on table audit.offers (waiting_since) to holdfast_relay;
grant select on table audit.offers (witness) to holdfast_relay;
grant select on table audit.receipt_keys to holdfast_app;
grant select on table audit.receipt_keys to holdfast_ops;
grant select on table audit.receipt_keys to holdfast_sealer;
grant update on table audit.receipt_keys (certificate) to holdfast_sealer;
grant update on table audit.receipt_keys (epoch) to holdfast_sealer;
grant update on table audit.receipt_keys (leaf) to holdfast_sealer;
grant delete, insert, select on table audit.requests to holdfast_app;
grant insert, select, update on table audit.retention to holdfast_app;
grant select on table audit.sealer to holdfast_ops;
grant select, update on table audit.sealer to holdfast_sealer;
grant insert, select, update on table audit.subject_erasures to holdfast_app;
grant insert, select, update on table audit.subject_keys to holdfast_app;
grant select on table audit.tiles to holdfast_app;
grant select on table audit.tiles to holdfast_ops;
grant delete, insert, select, update on table audit.tiles to holdfast_sealer;
grant select on table audit.trees to holdfast_app;
grant select on table audit.trees to holdfast_ops;
grant insert, select, update on table audit.trees to holdfast_sealer;
grant insert, select, update on table audit.vaults to holdfast_app;
grant delete, insert, select on table audit.witnesses to holdfast_app;
grant select on table audit.witnesses (tenant_id) to holdfast_relay;
grant select on table audit.witnesses (verifier_key) to holdfast_relay;
grant select on table auth.tenants to holdfast_ops;
grant select on table auth.tenants (id) to holdfast_auth;
grant select on table auth.tenants (plan) to holdfast_auth;
grant select on table auth.tenants (state) to holdfast_auth;
grant insert, select, update on table drills.drills to holdfast_ops;
grant select on table drills.drills to holdfast_relay;
grant select on table drills.drills (delay_ms) to holdfast_auth;
grant select on table drills.drills (does) to holdfast_auth;
grant select on table drills.drills (ends_at) to holdfast_auth;
grant select on table drills.drills (policy) to holdfast_auth;
grant insert, select on table events.group_actions to holdfast_ops;
grant select on table events.group_actions to holdfast_relay;
grant select on table events.group_actions (generation) to holdfast_app;
grant select on table events.group_actions (group_name) to holdfast_app;
grant select on table events.group_actions (to_tick) to holdfast_app;
grant select on table events.group_lags to holdfast_ops;
grant insert, select, update on table events.group_lags to holdfast_relay;
grant select on table events.groups to holdfast_ops;
grant insert, select, update on table events.groups to holdfast_relay;
grant select on table events.groups (from_tick) to holdfast_app;
grant update on table events.groups (from_tick) to holdfast_ops;
grant select on table events.groups (generation) to holdfast_app;
grant update on table events.groups (generation) to holdfast_ops;
grant select on table events.groups (name) to holdfast_app;
grant select on table events.groups (paused_at) to holdfast_app;
grant update on table events.groups (paused_at) to holdfast_ops;
grant update on table events.groups (paused_by) to holdfast_ops;
grant update on table events.groups (paused_reason) to holdfast_ops;
grant insert, select, update on table events.heads to holdfast_relay;
grant select on table events.heads to holdfast_sealer;
grant select, update on table events.leases to holdfast_relay;
grant select on table events.lineage to holdfast_ops;
grant select on table events.lineage to holdfast_relay;
grant select on table events.lineage to holdfast_sealer;
grant select on table events.lineage (id) to holdfast_app;
grant select on table events.lineage (server_started_at) to holdfast_app;
grant select on table events.lineage (stopped_at) to holdfast_app;
grant select on table events.log to holdfast_app;
grant insert, select on table events.log to holdfast_log;
grant select on table events.log to holdfast_ops;
grant select on table events.log to holdfast_relay;
grant select on table events.log to holdfast_sealer;
grant delete, insert, select, update on table events.parked_events to holdfast_app;
grant delete, insert, select, update on table events.parked_events to holdfast_relay;
grant delete, insert, select, update on table events.parked_keys to holdfast_app;
grant select on table events.parked_keys to holdfast_ops;
grant delete, insert, select, update on table events.parked_keys to holdfast_relay;
grant insert, select, update on table events.store_cursors to holdfast_relay;
grant select on table events.store_cursors (from_tick) to holdfast_app;
grant select on table events.store_cursors (generation) to holdfast_app;
grant select on table events.store_cursors (group_name) to holdfast_app;
grant select on table events.store_cursors (rewind_to) to holdfast_app;
grant insert, select, update on table events.tenant_cursors to holdfast_app;
grant select on table events.tenant_cursors to holdfast_relay;
grant delete, insert, select on table events.ticks to holdfast_relay;
grant select on table events.ticks (created_at) to holdfast_ops;
grant select on table events.ticks (id) to holdfast_app;
grant select on table events.ticks (id) to holdfast_ops;
grant select on table events.ticks (id) to holdfast_sealer;
grant select on table events.ticks (snapshot) to holdfast_app;
grant select on table events.ticks (snapshot) to holdfast_sealer;
grant select on table events.ticks (wal_lsn) to holdfast_sealer;
grant delete, insert, select, update on table idempotency.answers to holdfast_app;
grant delete, insert, select, update on table idempotency.answers to holdfast_ops;
grant insert, select, update on table identity.api_keys to holdfast_app;
grant insert, select, update on table identity.api_keys to holdfast_ops;
grant delete, insert, select, update on table identity.credential_addresses to holdfast_app;
grant insert, select, update on table identity.credential_uses to holdfast_app;
grant insert, select, update on table identity.invitations to holdfast_app;
grant delete, insert, select, update on table identity.issuers to holdfast_app;
grant insert, select, update on table identity.members to holdfast_app;
grant delete, insert, select, update on table identity.roles to holdfast_app;
grant insert, select on table identity.support_accesses to holdfast_app;
grant update on table identity.support_accesses (ended_at) to holdfast_app;
grant update on table identity.support_accesses (ended_by) to holdfast_app;
grant insert, select on table ledger.accounts to holdfast_app;
grant select on table ledger.accounts to holdfast_ops;
grant update on table ledger.accounts (closed_at) to holdfast_app;
grant update on table ledger.accounts (last_booked_at) to holdfast_app;
grant update on table ledger.accounts (metadata) to holdfast_app;
grant update on table ledger.accounts (pending_credits) to holdfast_app;
grant update on table ledger.accounts (pending_debits) to holdfast_app;
grant update on table ledger.accounts (posted_credits) to holdfast_app;
grant update on table ledger.accounts (posted_debits) to holdfast_app;
grant update on table ledger.accounts (revision) to holdfast_app;
grant update on table ledger.accounts (version) to holdfast_app;
grant insert, select on table ledger.books to holdfast_app;
grant select on table ledger.books to holdfast_ops;
grant update on table ledger.books (closed_through) to holdfast_app;
grant update on table ledger.books (revision) to holdfast_app;
grant delete, insert, select on table ledger.breaks to holdfast_app;
grant update on table ledger.breaks (last_seen_at) to holdfast_app;
grant select on table ledger.breaks (tenant_id) to holdfast_relay;
grant insert, select, update on table ledger.controls to holdfast_app;
grant select on table ledger.controls (full_due_at) to holdfast_relay;
grant select on table ledger.controls (lease_until) to holdfast_relay;
grant select on table ledger.controls (tenant_id) to holdfast_relay;
grant select on table ledger.controls (tick) to holdfast_relay;
grant insert, select on table ledger.keys to holdfast_app;
grant select on table ledger.keys to holdfast_ops;
grant delete, insert, select on table ledger.timeouts to holdfast_app;
grant select on table ledger.timeouts to holdfast_ops;
grant select on table ledger.timeouts (expires_at) to holdfast_relay;
grant select on table ledger.timeouts (tenant_id) to holdfast_relay;
grant insert, select on table ledger.transfers to holdfast_app;
grant select on table ledger.transfers to holdfast_ops;
grant insert, select on table payments.clearings to holdfast_app;
grant select on table payments.clearings (asset) to holdfast_relay;
grant select on table payments.clearings (counterparty_id) to holdfast_relay;
grant update on table payments.clearings (net) to holdfast_app;
grant select on table payments.clearings (net) to holdfast_relay;
grant select on table payments.clearings (tenant_id) to holdfast_relay;
grant insert, select on table payments.payments to holdfast_app;
grant select on table payments.payments (amount) to holdfast_relay;
grant select on table payments.payments (asset) to holdfast_relay;
grant select on table payments.payments (counterparty_id) to holdfast_relay;
grant select on table payments.payments (direction) to holdfast_relay;
grant update on table payments.payments (ended_at) to holdfast_app;
grant update on table payments.payments (hold_id) to holdfast_app;
grant select on table payments.payments (id) to holdfast_relay;
grant update on table payments.payments (posted_at) to holdfast_app;
grant select on table payments.payments (posted_at) to holdfast_relay;
grant update on table payments.payments (reason) to holdfast_app;
grant update on table payments.payments (side) to holdfast_app;
grant select on table payments.payments (side) to holdfast_relay;
grant update on table payments.payments (status) to holdfast_app;
grant select on table payments.payments (status) to holdfast_relay;
grant select on table payments.payments (tenant_id) to holdfast_relay;
grant update on table payments.payments (version) to holdfast_app;
grant insert, select on table sagas.participations to holdfast_app;
grant update on table sagas.participations (result) to holdfast_app;
grant update on table sagas.participations (state) to holdfast_app;
grant update on table sagas.participations (version) to holdfast_app;
grant insert, select on table sagas.sagas to holdfast_app;
grant update on table sagas.sagas (attempts) to holdfast_app;
grant select on table sagas.sagas (attempts) to holdfast_ops;
grant update on table sagas.sagas (awaits_stream_id) to holdfast_app;
grant select on table sagas.sagas (awaits_stream_id) to holdfast_relay;
grant update on table sagas.sagas (awaits_stream_type) to holdfast_app;
grant select on table sagas.sagas (awaits_stream_type) to holdfast_relay;
grant update on table sagas.sagas (awaits_type) to holdfast_app;
grant select on table sagas.sagas (awaits_type) to holdfast_ops;
grant select on table sagas.sagas (awaits_type) to holdfast_relay;
grant update on table sagas.sagas (backward) to holdfast_app;
grant select on table sagas.sagas (backward) to holdfast_ops;
grant update on table sagas.sagas (cancel_requested) to holdfast_app;
grant select on table sagas.sagas (cancel_requested) to holdfast_ops;
grant select on table sagas.sagas (deadline_at) to holdfast_ops;
grant select on table sagas.sagas (deadline_at) to holdfast_relay;
grant update on table sagas.sagas (due_at) to holdfast_app;
grant select on table sagas.sagas (due_at) to holdfast_ops;
grant select on table sagas.sagas (due_at) to holdfast_relay;
grant update on table sagas.sagas (ended_at) to holdfast_app;
grant select on table sagas.sagas (ended_at) to holdfast_ops;
grant select on table sagas.sagas (ended_at) to holdfast_relay;
grant update on table sagas.sagas (fence) to holdfast_app;
grant select on table sagas.sagas (hash) to holdfast_ops;
grant select on table sagas.sagas (hash) to holdfast_relay;
grant select on table sagas.sagas (id) to holdfast_ops;
grant select on table sagas.sagas (id) to holdfast_relay;
grant update on table sagas.sagas (input) to holdfast_app;
grant update on table sagas.sagas (intended) to holdfast_app;
grant update on table sagas.sagas (last_error) to holdfast_app;
grant select on table sagas.sagas (last_error) to holdfast_ops;
grant update on table sagas.sagas (lease_until) to holdfast_app;
grant select on table sagas.sagas (lease_until) to holdfast_ops;
grant select on table sagas.sagas (lease_until) to holdfast_relay;
grant select on table sagas.sagas (name) to holdfast_ops;
grant select on table sagas.sagas (name) to holdfast_relay;
grant update on table sagas.sagas (place) to holdfast_app;
grant select on table sagas.sagas (place) to holdfast_ops;
grant update on table sagas.sagas (reason) to holdfast_app;
grant select on table sagas.sagas (reason) to holdfast_ops;
grant update on table sagas.sagas (results) to holdfast_app;
grant select on table sagas.sagas (started_at) to holdfast_ops;
grant select on table sagas.sagas (started_at) to holdfast_relay;
grant select on table sagas.sagas (started_by) to holdfast_ops;
grant update on table sagas.sagas (state) to holdfast_app;
grant select on table sagas.sagas (state) to holdfast_ops;
grant select on table sagas.sagas (state) to holdfast_relay;
grant update on table sagas.sagas (step_deadline_at) to holdfast_app;
grant select on table sagas.sagas (tenant_id) to holdfast_ops;
grant select on table sagas.sagas (tenant_id) to holdfast_relay;
grant update on table sagas.sagas (version) to holdfast_app;
grant insert, select on table telemetry.write_keys to holdfast_app;
grant select on table telemetry.write_keys (id) to holdfast_auth;
grant update on table telemetry.write_keys (revoked_at) to holdfast_app;
grant select on table telemetry.write_keys (revoked_at) to holdfast_auth;
grant select on table telemetry.write_keys (tenant_id) to holdfast_auth;
grant update on table telemetry.write_keys (version) to holdfast_app;
grant select on table tenancy.exemptions to holdfast_app;
grant select on table tenancy.exemptions to holdfast_ops;
grant select on table tenancy.not_exported to holdfast_app;
grant select on table tenants.erasure_receipts to holdfast_ops;
grant delete, insert, select on table tenants.export_chunks to holdfast_app;
grant insert, select, update on table tenants.exports to holdfast_app;
grant delete, insert, select, update on table tenants.tasks to holdfast_app;
grant select on table tenants.tasks (due_at) to holdfast_relay;
grant select on table tenants.tasks (id) to holdfast_relay;
grant select on table tenants.tasks (kind) to holdfast_relay;
grant select on table tenants.tasks (lease_until) to holdfast_relay;
grant select on table tenants.tasks (tenant_id) to holdfast_relay;
grant insert, select, update on table tenants.tenants to holdfast_app;
grant select on table tenants.tenants to holdfast_ops;
grant delete, insert, select, update on table tenants.usage_counts to holdfast_app;
grant select on table tenants.usage_counts to holdfast_ops;
grant delete, insert, select, update on table webhooks.attempts to holdfast_app;
grant delete, insert, select, update on table webhooks.deliveries to holdfast_app;
grant delete, insert, select, update on table webhooks.endpoints to holdfast_app;
grant select on table webhooks.endpoints (tenant_id) to holdfast_relay;
grant delete, insert, select, update on table webhooks.lanes to holdfast_app;
grant select on table webhooks.lanes (due_at) to holdfast_relay;
grant select on table webhooks.lanes (tenant_id) to holdfast_relay;
grant delete, insert, select, update on table webhooks.secrets to holdfast_app;

-- What PostgreSQL gives to everybody and was taken away

revoke execute on function pg_catalog.lo_creat(integer) from public;
revoke execute on function pg_catalog.lo_create(oid) from public;
revoke execute on function pg_catalog.lo_from_bytea(oid,bytea) from public;
revoke execute on function pg_catalog.lo_open(oid,integer) from public;
revoke execute on function pg_catalog.lo_put(oid,bigint,bytea) from public;
revoke execute on function pg_catalog.lo_unlink(oid) from public;
revoke execute on function pg_catalog.pg_advisory_lock(bigint) from public;
revoke execute on function pg_catalog.pg_advisory_lock(integer,integer) from public;
revoke execute on function pg_catalog.pg_advisory_lock_shared(bigint) from public;
revoke execute on function pg_catalog.pg_advisory_lock_shared(integer,integer) from public;
revoke execute on function pg_catalog.pg_cancel_backend(integer) from public;
revoke execute on function pg_catalog.pg_logical_emit_message(boolean,text,bytea,boolean) from public;
revoke execute on function pg_catalog.pg_logical_emit_message(boolean,text,text,boolean) from public;
revoke execute on function pg_catalog.pg_terminate_backend(integer,bigint) from public;
revoke execute on function pg_catalog.pg_try_advisory_lock(bigint) from public;
revoke execute on function pg_catalog.pg_try_advisory_lock(integer,integer) from public;
revoke execute on function pg_catalog.pg_try_advisory_lock_shared(bigint) from public;
revoke execute on function pg_catalog.pg_try_advisory_lock_shared(integer,integer) from public;
