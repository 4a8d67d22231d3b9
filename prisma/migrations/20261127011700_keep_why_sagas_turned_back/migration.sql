-- Keeps why a saga has turned back where an operator is asked for on its way back. What it had stopped with took the place of that, and once
-- it went on, whoever had cancelled a payment was told that the payee had refused it, or an error of the database.
--
-- `reason` is why it turned back from there on, and `last_error` what it has stopped with. Otherwise as in 20261127008000_move_sagas_together.
--
-- Safe under load: replaces a function. The release before shows the one and the other.
set local role holdfast_owner;

create or replace function sagas.move_all(
  tenant uuid, ids uuid[], fences bigint[], versions bigint[], states text[], backwards boolean[], places int[], intends boolean[],
  answers jsonb[], reasons text[], events int[], timeouts float8[], forced boolean[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
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
end $$;
