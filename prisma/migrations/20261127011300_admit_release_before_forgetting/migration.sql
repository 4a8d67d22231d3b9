-- An API of a release from before 20261127010200_forget_inputs_of_sagas did not start again beside the new schema: its doctor does not know the
-- grant by which what a saga was begun with is forgotten.
--
-- Safe under load: a row.
set local role holdfast_owner;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, 'sagas.sagas', 'the release before 28 November 2026 does not list it, and may start again during the update',
  'sagas', clock_timestamp() + interval '30 days'
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
