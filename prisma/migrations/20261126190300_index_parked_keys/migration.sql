-- What is parked of a whole group, in two indexes instead of one: they serve those who ask over all tenants, and no statement
-- about one tenant can be planned over them, however small the table is.
--
-- Safe under load: the table holds what could not be delivered, and is small.
set local role holdfast_owner;

drop index events.parked_keys_group_name_retry_at_idx;
create index parked_keys_group_name_retry_at_idx on events.parked_keys (group_name, retry_at) where retry_at is not null;
create index parked_keys_group_name_idx on events.parked_keys (group_name) where retry_at is null;
