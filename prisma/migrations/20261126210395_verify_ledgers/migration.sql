-- What the controls of the ledger keep: how far each tenant's was verified, and where it did not hold.
--
-- Right under concurrency: a tenant is verified by whoever holds the lease in its row; each page renews it, and writes what it
-- found and how far it got, in one transaction. A worker that lost the lease finds that out before it writes.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create table ledger.controls (
  tenant_id uuid primary key,
  -- Transfers were verified up to here as they were booked: up to this instant, and at it up to this id.
  verified_through timestamptz not null default '-infinity',
  verified_id uuid not null default '00000000-0000-0000-0000-000000000000',
  -- The tenant's newest tick, all of whose transfers were verified. Beyond it there is something to do.
  tick bigint not null default 0,
  full_due_at timestamptz not null default clock_timestamp(),
  -- How far the run over everything has got; null between two of them.
  full_progress jsonb,
  holder uuid,
  lease_until timestamptz
);
select tenancy.protect('ledger.controls', readers => '{holdfast_relay}');
grant select, insert, update on ledger.controls to holdfast_app;
-- Workers see which tenants are due, and nothing of what was found.
grant select (tenant_id, tick, full_due_at, lease_until) on ledger.controls to holdfast_relay;

-- Where a ledger does not hold; a row goes when a run over everything has not found it any more. A thousand of a tenant at most.
create table ledger.breaks (
  tenant_id uuid not null,
  id uuid not null,
  rule text not null,
  -- The table of the row, and its key; of a sum, the asset.
  relation text not null,
  row_id text not null,
  -- What holds for a sound one.
  expected text not null,
  found_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  unique (tenant_id, rule, relation, row_id)
);
select tenancy.protect('ledger.breaks', readers => '{holdfast_relay}');
grant select, insert, update (last_seen_at), delete on ledger.breaks to holdfast_app;
-- Workers count them, for the alert.
grant select (tenant_id) on ledger.breaks to holdfast_relay;

insert into tenancy.not_exported (relation, reason) values
  ('ledger.controls', 'how far the ledger was verified here; it is verified anew elsewhere'),
  ('ledger.breaks', 'what was found here; the events tell of it');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'ledger.list_tenants_to_verify', 'workers ask whose ledger is to be verified, in a role that sees nothing of it', 'ledger'),
  (18, 'ledger.count_breaks', 'workers count what does not hold over all tenants, in a role that sees nothing of what it is', 'ledger');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before does not list it, and may start again during the update', 'ledger',
  clock_timestamp() + interval '30 days'
from unnest(array['ledger.controls', 'ledger.breaks']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
