-- The text of `occurred_at` in the entry of a leaf, said once: whoever makes an entry from a row has to write the same, for good.
--
-- RFC 3339 in UTC to the microsecond for the years that it has; PostgreSQL's own text for all others, so that no two instants have the same
-- (to_char leaves out that a year is before Christ). No search path is pinned: the function is put into the statement that calls it.
-- Safe under load: creates one function.
set local role holdfast_owner;

create function audit.instant_text(instant timestamptz) returns text
language sql stable parallel safe as $$
  select case
    when instant >= '0001-01-01Z' and instant < '10000-01-01Z' then to_char(instant, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    else instant::text
  end
$$;
revoke execute on function audit.instant_text(timestamptz) from public;
grant execute on function audit.instant_text(timestamptz) to holdfast_app, holdfast_sealer, holdfast_ops;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, 'audit.instant_text', 'the release before 26 November 2026 does not list it, and may start again during the update',
  'audit', clock_timestamp() + interval '30 days'
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
