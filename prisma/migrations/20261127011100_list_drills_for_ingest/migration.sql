-- Lets the list that ingest goes by say what is drilled: ingest has no database, and asks the API for that list. It is made in this role,
-- and is public: who begins drills is not in it.
--
-- Safe under load: grants only.
set local role holdfast_owner;

grant usage on schema drills to holdfast_auth;
grant select (policy, does, delay_ms, ends_at) on drills.drills to holdfast_auth;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 28 November 2026 does not list it, and may start again during the update',
  'drills', clock_timestamp() + interval '30 days'
from unnest(array['drills', 'drills.drills']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
