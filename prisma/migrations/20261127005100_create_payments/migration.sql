-- Payments between tenants: what each side knows of them, and what the two owe each other over their clearing accounts.
--
-- A payment is two rows under one id, one of the payer's and one of the payee's tenant, each written in transactions of its own tenant
-- by the steps of the saga `payments.payment`. Whoever writes a row has its lock, then that of the clearing, and then posts: every
-- step takes them in this order.
--
-- Safe under load: creates, and a function that answers as before for whoever asked so far.
set local role holdfast_owner;

create schema payments;
grant usage on schema payments to holdfast_app, holdfast_relay;

create table payments.payments (
  tenant_id uuid not null,
  -- The saga's, on both sides.
  id uuid not null,
  direction text not null check (direction in ('outgoing', 'incoming')),
  counterparty_id uuid not null,
  -- One's own account, and of an outgoing one the payee's as it was given.
  account_id uuid not null,
  counterparty_account_id uuid,
  amount bigint not null check (amount > 0),
  asset text not null,
  status text not null default 'pending' check (status in ('pending', 'completed', 'failed', 'compensated')),
  -- The side of one's own account that it is booked on, and the hold; null until it is placed.
  side text check (side in ('debit', 'credit')),
  hold_id uuid,
  -- When its half was posted here: from then on the clearing account counts it.
  posted_at timestamptz,
  -- Why it came to nothing; of an outgoing one.
  reason text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  version bigint not null default 1,
  primary key (tenant_id, id),
  check (counterparty_id <> tenant_id),
  check ((counterparty_account_id is null) = (direction = 'incoming')),
  check ((side is null) = (hold_id is null)),
  check ((ended_at is null) = (status = 'pending')),
  check (status <> 'completed' or posted_at is not null)
);
create index payments_in_flight_idx on payments.payments (tenant_id, counterparty_id, asset)
  where direction = 'outgoing' and status = 'pending' and posted_at is not null;
select tenancy.protect('payments.payments', readers => '{holdfast_relay}');
grant select, insert on payments.payments to holdfast_app;
grant update (status, side, hold_id, posted_at, reason, ended_at, version) on payments.payments to holdfast_app;
-- What the sum of a pair of clearing accounts is held against.
grant select (tenant_id, id, direction, counterparty_id, asset, amount, side, status, posted_at) on payments.payments to holdfast_relay;
select tenancy.record('payments.payments');

-- The clearing account with another tenant in an asset, and what is posted on it: credits less debits. Kept beside the account, so that
-- workers can add up pairs of tenants without a look at any ledger.
create table payments.clearings (
  tenant_id uuid not null,
  counterparty_id uuid not null,
  asset text not null,
  account_id uuid not null,
  net bigint not null default 0,
  primary key (tenant_id, counterparty_id, asset)
);
select tenancy.protect('payments.clearings', readers => '{holdfast_relay}');
grant select, insert, update (net) on payments.clearings to holdfast_app;
grant select (tenant_id, counterparty_id, asset, net) on payments.clearings to holdfast_relay;
select tenancy.record('payments.clearings');

insert into tenancy.not_exported (relation, reason) values
  ('payments.payments', 'between tenants of this installation; the ledger has what they moved'),
  ('payments.clearings', 'between tenants of this installation; the ledger has what they moved');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'payments.list_clearing_breaks', 'workers add up what two tenants owe each other, in a role that sees no ledger', 'payments'),
  (18, 'payments.count_in_flight', 'workers count payments under way over all tenants', 'payments');

-- As before, but that a payment reaches only a tenant that there is: its steps would otherwise leave records under any id that somebody
-- sends one to. Whether there is one is told by the refusal that a tenant that is gone has, and by nothing else.
create or replace function auth.grant_for_system(consumer text, tenant uuid, cause text, act text default '') returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
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
end $$;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 28 November 2026 does not list it, and may start again during the update',
  'payments', clock_timestamp() + interval '30 days'
from unnest(array['payments', 'payments.payments', 'payments.clearings']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
