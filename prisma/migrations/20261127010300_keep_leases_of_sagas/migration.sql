-- Keeps the lease of a saga, when it is due, and the numbers of its lease and of its stream from every grant but that of its module, as its
-- place is kept. A statement injected into a request of the tenant that pays could else give a saga a lease that never ends: nobody takes
-- such a one up, what is held for it stays held, and no steering helps.
--
-- What steering writes stays as it is: the saga is due at once, its version grows by its events, and one that stands still, or whose lease
-- lies further away than any is given, has none afterwards. Nobody gives a longer one, its module neither.
--
-- Safe under load: replaces functions. The release before writes the same under the same grants.
set local role holdfast_owner;

create or replace function sagas.keep_places() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  actor constant text := tenancy.actor();
begin
  -- A lease is 90 seconds from when it was written; the rest is for a clock that is set back meanwhile.
  if exists (
        select from moved m
        where 'system:' || split_part(m.name, '.', 1) <> actor or m.lease_until > clock_timestamp() + interval '2 minutes')
      and exists (
        select from moved m
        join were w on w.id = m.id
        cross join lateral (
          select w.state = 'needs_operator' or coalesce(w.lease_until > statement_timestamp() + interval '90 seconds', false)
            or coalesce(w.due_at = 'infinity', false) as stood) s
        where not ((m.backward, m.place, m.intended, m.results, m.fence) = (w.backward, w.place, w.intended, w.results, w.fence)
          and (m.state = w.state
            or w.state = 'needs_operator' and m.state = case when w.backward then 'compensating' else 'running' end)
          and m.version between w.version and w.version + s.stood::int + (m.cancel_requested > w.cancel_requested)::int
          and (m.lease_until is not distinct from w.lease_until or s.stood and m.lease_until is null)
          and (m.due_at is not distinct from w.due_at or m.due_at between transaction_timestamp() and clock_timestamp()))) then
    raise exception 'only its module moves a saga' using errcode = 'HF003';
  end if;
  return null;
end $$;

create or replace function sagas.keep_beginnings() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Who the grant names is asked only where one has moved.
  if exists (
      select from begun b
      where case when (b.state, b.backward, b.place, b.intended, b.results, b.version) <> ('running', false, 0, false, '{}', 1)
          or b.fence not in (0, 1) or b.due_at > clock_timestamp() or b.lease_until > clock_timestamp() + interval '2 minutes'
        then 'system:' || split_part(b.name, '.', 1) <> (select tenancy.actor()) end) then
    raise exception 'only its module moves a saga' using errcode = 'HF003';
  end if;
  return null;
end $$;
