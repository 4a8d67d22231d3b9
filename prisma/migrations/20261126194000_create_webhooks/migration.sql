-- Webhooks: where a tenant wants its events sent, with what they are signed, and the queue and log of what is sent.
--
-- A delivery is one event for one endpoint. Those of one endpoint and stream stand in a lane, in the order of the log, and
-- only the first that is undelivered is sent: a lane's row exists while it has one, and says when it is due. So what waits
-- behind a failing receiver costs whoever looks for work nothing, however much it is.
--
-- Right under concurrency: a lane's row is locked by whoever adds to the lane (the group, in the transaction in which its
-- cursor moves, and who retries by hand) and by whoever takes the first away (a sender that has been answered). The sender
-- looks for the next one after it has the lock, in a statement of its own, and deletes the row when there is none; who adds
-- writes the delivery first and inserts or locks the row afterwards. So no delivery is left in a lane without a row.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create schema webhooks;
grant usage on schema webhooks to holdfast_app, holdfast_relay;

create table webhooks.endpoints (
  tenant_id uuid not null,
  id uuid not null,
  url text not null check (length(url) between 1 and 2000),
  description text not null default '' check (length(description) <= 500),
  -- Names, prefixes that end in `.*`, or `*` alone.
  event_types text[] not null check (cardinality(event_types) between 1 and 50),
  signing text not null check (signing in ('hmac-sha256', 'ed25519')),
  disabled_at timestamptz,
  -- The tenant wished it, the receiver has answered 410, or nothing but failures has come of it for days.
  disabled_reason text check (disabled_reason in ('tenant', 'gone', 'failing')),
  -- Events that occurred before are not the endpoint's: it was not there, or had nothing to sign with.
  receives_from timestamptz not null default clock_timestamp(),
  -- Since when every attempt has failed.
  failing_since timestamptz,
  -- Hidden from here on; a worker deletes what it has in pages, and then the row.
  removed_at timestamptz,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  version bigint not null default 1 check (version >= 1),
  primary key (tenant_id, id),
  check (num_nonnulls(disabled_at, disabled_reason) in (0, 2))
);
select tenancy.protect('webhooks.endpoints', readers => '{holdfast_relay}');
grant select, insert, update, delete on webhooks.endpoints to holdfast_app;
-- Workers ask which tenants have endpoints, to look after them, and see nothing of what they are.
grant select (tenant_id) on webhooks.endpoints to holdfast_relay;

create table webhooks.secrets (
  tenant_id uuid not null,
  id uuid not null,
  endpoint_id uuid not null,
  scheme text not null check (scheme in ('hmac-sha256', 'ed25519')),
  -- AES-256-GCM under a key that the database does not have: nonce (12), tag (16), ciphertext. Bound to tenant and id.
  sealed bytea not null check (length(sealed) between 52 and 92),
  -- Which key that was.
  key_id text not null check (length(key_id) between 1 and 64),
  -- `whpk_…`, of ed25519.
  public_key text,
  created_at timestamptz not null default clock_timestamp(),
  -- Until when it signs as well; null for the newest.
  ends_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, endpoint_id) references webhooks.endpoints (tenant_id, id),
  check ((scheme = 'ed25519') = (public_key is not null))
);
create index secrets_tenant_id_endpoint_id_idx on webhooks.secrets (tenant_id, endpoint_id);
create unique index secrets_tenant_id_newest_idx on webhooks.secrets (tenant_id, endpoint_id) where ends_at is null;
select tenancy.protect('webhooks.secrets');
grant select, insert, update, delete on webhooks.secrets to holdfast_app;

create table webhooks.deliveries (
  tenant_id uuid not null,
  -- Made of endpoint and event, and sent as `webhook-id`: the same however often it is sent, or delivered to the group.
  id uuid not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  event_type text not null,
  -- `<type>/<id>`, and the event's place in the log.
  stream text not null,
  seq bigint not null,
  -- The body of a test, which no log holds; of an event it is made from the log each time.
  test_body jsonb,
  -- `canceled`: the endpoint was disabled. Like a failed one it is sent when somebody asks for it.
  status text not null check (status in ('pending', 'delivered', 'failed', 'canceled')),
  attempt_count int not null default 0,
  -- The place in the schedule of retries, which begins anew when somebody asks for a retry.
  step int not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, endpoint_id, event_id),
  foreign key (tenant_id, endpoint_id) references webhooks.endpoints (tenant_id, id)
);
create index deliveries_tenant_id_endpoint_id_created_at_idx on webhooks.deliveries (tenant_id, endpoint_id, created_at, id);
create index deliveries_tenant_id_lane_idx on webhooks.deliveries (tenant_id, endpoint_id, stream, seq, id)
  where status = 'pending';
select tenancy.protect('webhooks.deliveries');
grant select, insert, update, delete on webhooks.deliveries to holdfast_app;

create table webhooks.lanes (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  stream text not null,
  -- When its first delivery is due; while one is under way, when its sender counts as dead.
  due_at timestamptz not null,
  -- Names the attempt under way: what is recorded by another is refused.
  holder uuid,
  primary key (tenant_id, endpoint_id, stream),
  foreign key (tenant_id, endpoint_id) references webhooks.endpoints (tenant_id, id)
) with (fillfactor = 70);
create index lanes_tenant_id_due_at_idx on webhooks.lanes (tenant_id, due_at);
create index lanes_tenant_id_endpoint_id_due_at_idx on webhooks.lanes (tenant_id, endpoint_id, due_at);
create index lanes_tenant_id_held_idx on webhooks.lanes (tenant_id, endpoint_id) where holder is not null;
select tenancy.protect('webhooks.lanes', readers => '{holdfast_relay}');
grant select, insert, update, delete on webhooks.lanes to holdfast_app;
-- Workers ask which tenants have something to send.
grant select (tenant_id, due_at) on webhooks.lanes to holdfast_relay;

create table webhooks.attempts (
  tenant_id uuid not null,
  delivery_id uuid not null,
  number int not null,
  started_at timestamptz not null,
  outcome text not null check (length(outcome) between 1 and 64),
  status int,
  latency_ms int not null check (latency_ms >= 0),
  url text not null,
  -- As sent, but for the signatures.
  request_headers jsonb not null,
  -- What came back, cut to a few kilobytes.
  response_headers jsonb,
  response_body text,
  primary key (tenant_id, delivery_id, number),
  foreign key (tenant_id, delivery_id) references webhooks.deliveries (tenant_id, id) on delete cascade
);
select tenancy.protect('webhooks.attempts');
grant select, insert, update, delete on webhooks.attempts to holdfast_app;

insert into tenancy.not_exported (relation, reason) values
  ('webhooks.secrets', 'sealed under a key of this installation; endpoints are given fresh ones'),
  ('webhooks.deliveries', 'work under way here, and the log of it, which is kept for thirty days'),
  ('webhooks.lanes', 'work under way here'),
  ('webhooks.attempts', 'the log of work that was done here, which is kept for thirty days');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'webhooks.list_due_tenants', 'workers ask which tenants have something to send, in a role that sees nothing of what it is', 'webhooks'),
  (18, 'webhooks.list_tenants', 'workers ask which tenants have endpoints, in a role that sees nothing of what they are', 'webhooks');

-- Processes of the release before may start again beside this schema, and do not list what it grants.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before does not list it, and may start again during the update', 'webhooks',
  clock_timestamp() + interval '30 days'
from unnest(array['webhooks', 'webhooks.endpoints', 'webhooks.secrets', 'webhooks.deliveries', 'webhooks.lanes', 'webhooks.attempts'])
  granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
