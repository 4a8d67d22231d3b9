-- Finds sagas of one definition, and those that were compensated, among the many that have ended: of 100,000 in a tenant, a page of
-- a rare definition took 60 ms and takes 1. The rest of the states need none: open ones have theirs, and most have completed.
--
-- Not safe under load where there are many sagas: the indexes hold up their changes while they are built, about a second per million.
-- Build them beforehand with `concurrently` under the same names where that is too long; they are then found and kept.
set local role holdfast_owner;

create index if not exists sagas_tenant_id_name_id_idx on sagas.sagas (tenant_id, name, id);
create index if not exists sagas_tenant_id_compensated_idx on sagas.sagas (tenant_id, id) where state = 'compensated';
