-- Answers to requests that carried an Idempotency-Key, stored in the transaction of their effect.
--
-- A request inserts its row first: a second one with the same key then waits at the unique index until the first has
-- committed (and replays its answer) or rolled back (and takes its place). Safe under load: creates only.
set local role holdfast_owner;

create schema idempotency;
grant usage on schema idempotency to holdfast_app, holdfast_ops;

create table idempotency.answers (
  tenant_id uuid not null,
  actor text not null,
  route text not null,
  key text not null check (length(key) between 1 and 255),
  request_hash bytea not null,
  -- Whether the answer is a refusal. Null only inside the transaction that works on it.
  refused boolean,
  -- As json, which keeps the order of the fields: a replay is the same text.
  body json,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, actor, route, key)
);
create index answers_tenant_id_created_at_idx on idempotency.answers (tenant_id, created_at);

select tenancy.protect('idempotency.answers');
grant select, insert, update, delete on idempotency.answers to holdfast_app, holdfast_ops;
