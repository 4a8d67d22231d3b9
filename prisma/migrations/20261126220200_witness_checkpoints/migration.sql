-- Witnesses: who cosigns the checkpoints of a tenant's log, so that nobody, the operator included, can show two histories.
--
-- A witness is named by its verifier key, whether the operator has configured it for all tenants (AUDIT_WITNESSES) or a
-- tenant has added it. What a worker offers to it has a row in audit.offers, whose lease says which worker offers; what
-- comes of it stands in audit.cosignatures.
--
-- Right under concurrency: an offer is claimed and ended by its row, under a holder's name. Two workers that offer the same
-- all the same (a lease that has run out) offer checkpoints of one log, and the larger cosigned one is kept.
-- Safe under load: creates only.
set local role holdfast_owner;

create table audit.witnesses (
  tenant_id uuid not null,
  id uuid not null,
  -- C2SP signed-note: <name>+<key id>+<key>, of the type that makes cosignatures.
  verifier_key text not null check (length(verifier_key) between 1 and 600),
  -- The submission prefix, without /add-checkpoint.
  url text not null check (length(url) between 1 and 2000),
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  unique (tenant_id, verifier_key)
);

create table audit.offers (
  tenant_id uuid not null,
  -- The verifier key.
  witness text not null,
  -- audit.trees.tick when all that was sealed had been cosigned last: there is something to offer when the head is newer.
  tick bigint not null default -1,
  due_at timestamptz not null default clock_timestamp(),
  holder uuid,
  lease_until timestamptz,
  -- In a row; 0 once it has cosigned.
  failures int not null default 0,
  -- What came of the last offer, and when that was.
  outcome text check (length(outcome) <= 64),
  tried_at timestamptz,
  -- Since when there has been something that it has not cosigned; null when there is nothing.
  waiting_since timestamptz,
  primary key (tenant_id, witness)
) with (fillfactor = 70);

-- The largest checkpoint of each epoch that a witness has cosigned. Nothing here is believed: whoever reads it verifies it.
create table audit.cosignatures (
  tenant_id uuid not null,
  epoch int not null,
  witness text not null,
  size bigint not null check (size >= 1),
  -- The checkpoint as the log has signed it, and the lines of signature that the witness has added.
  note text not null,
  signatures text not null,
  cosigned_at timestamptz not null,
  primary key (tenant_id, epoch, witness)
) with (fillfactor = 50);
create index cosignatures_tenant_id_epoch_size_idx on audit.cosignatures (tenant_id, epoch, size);

select tenancy.protect('audit.witnesses', readers => '{holdfast_relay}');
select tenancy.protect('audit.offers', readers => '{holdfast_relay}');
select tenancy.protect('audit.cosignatures');
grant select, insert, delete on audit.witnesses to holdfast_app;
grant select, insert, update, delete on audit.offers to holdfast_app;
grant select, insert, update on audit.cosignatures to holdfast_app;
grant select on audit.cosignatures to holdfast_ops;
-- Workers ask which offers are due, and see nothing of where they go.
grant usage on schema audit to holdfast_relay;
grant select (tenant_id, verifier_key) on audit.witnesses to holdfast_relay;
grant select (tenant_id, witness, tick, due_at, lease_until, failures, waiting_since) on audit.offers to holdfast_relay;

insert into tenancy.not_exported (relation, reason) values
  ('audit.offers', 'work under way here'),
  ('audit.cosignatures', 'of checkpoints of the log of this installation');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'audit.list_due_offers', 'workers ask which checkpoints are to be offered, in a role that sees nothing of them', 'audit'),
  (18, 'audit.count_waiting_offers', 'workers count what witnesses have not cosigned, over all tenants', 'audit');

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
from unnest(array['audit', 'audit.witnesses', 'audit.offers', 'audit.cosignatures']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
