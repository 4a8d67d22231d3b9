-- A request that acts on a group is known again by its key, and refused under another body.
--
-- Safe under load: adds a nullable column.
set local role holdfast_owner;

alter table events.group_actions add column request_hash text;
