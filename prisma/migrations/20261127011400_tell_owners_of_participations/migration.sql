-- Tells for which saga a step in another tenant was done. Ids of sagas are unique in their tenants only: one that a statement had begun, injected
-- into a request of a third tenant, under the id of another tenant's found what that one had done in the payee for its own. A payment came
-- to its end that had reached nobody, or took the place in which another one was to be recorded.
--
-- Safe under load: a column that is null in the rows that are there. Those, and what the release before writes, count for any saga of the id,
-- as before.
set local role holdfast_owner;

alter table sagas.participations add column owner_key uuid;
comment on column sagas.participations.owner_key is 'Follows from the saga and its tenant, and does not tell which that is; null: from before.';
