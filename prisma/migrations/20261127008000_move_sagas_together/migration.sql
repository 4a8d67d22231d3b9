-- Moves of sagas in one statement that is planned once.
--
-- As a statement of its own it was planned at each execution, which took as long as executing it: the planner believes that a plan for these
-- very arrays is cheaper than one for any. And whoever issued it had to wait for its answer to know whether all had moved. A function says
-- so by failing, so that the commit can travel with it.
--
-- Under concurrency it is one update: each row is locked by its primary key and looked at again behind whoever held it, and a saga whose
-- fence or version is another then fails the statement, and with it the transaction.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create function sagas.move_all(
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
    reason = coalesce(m.reason, s.reason), version = s.version + m.events, attempts = 0, last_error = null,
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

revoke execute on function sagas.move_all from public;
grant execute on function sagas.move_all to holdfast_app;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, 'sagas.move_all', 'the release before 28 November 2026 does not list it, and may start again during the update',
  'sagas', clock_timestamp() + interval '30 days'
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
