-- A batch of parked events that may or may not have reached its store goes out before anything else of the group; whether
-- there is one is asked before every batch. Safe under load: the table has a row for each key that is parked, and few of those.
set local role holdfast_owner;

create index parked_keys_unsettled_idx on events.parked_keys (group_name) where through_place is not null;
