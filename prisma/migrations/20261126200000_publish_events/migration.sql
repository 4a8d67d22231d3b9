-- Publishes the event log, so that change data capture (Debezium and its like) can read what is appended.
--
-- Only inserts: there is nothing else. All columns and all rows, whatever the tenant: row-level security does not bind a
-- subscriber, which is why it takes a role with REPLICATION, and none of Holdfast's has that. The order is that of commits,
-- which for each stream is the order of its versions, since its writers hold a lock from before they append until they commit.
-- Without wal_level = logical the publication is only a row of the catalogue; a slot cannot be made before that is set.
-- Safe under load: takes SHARE UPDATE EXCLUSIVE on the log, which no append waits for.
set local role holdfast_owner;

create publication holdfast_events for table events.log with (publish = 'insert');
