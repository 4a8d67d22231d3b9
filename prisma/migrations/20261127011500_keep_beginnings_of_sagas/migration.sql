-- Keeps what operators see of all sagas from what a tenant begins one with. A statement injected into a request could begin one whose deadline
-- no client can read, and `holdfast saga list` failed for the sagas of all tenants; or with an input, a reason or a name of any size, which
-- each worker, and each look at the metrics, then has to hold.
--
-- A saga begins now, under a name and a hash that a definition can have, has no reason yet, and no more input than a request may have.
--
-- Safe under load: replaces a function. The release before begins sagas no otherwise.
set local role holdfast_owner;

create or replace function sagas.keep_beginnings() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
end $$;
