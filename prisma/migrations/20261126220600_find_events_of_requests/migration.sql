-- Finds what came of a request by its id, which clients may choose: the trail's search by request, and chains of causes.
--
-- Costs a transfer of a batch 1 to 2.5 % of the server's time (41 µs each without it; nine interleaved runs of 20 batches of
-- 1,000, 2 cores). A partial index for ids that are not ours costs nothing and would leave ours to a guess by time, which what
-- follows a request hours later does not bear.
-- Not safe under load: the index on events.log holds up appends while it is built, about a second per million events. Build
-- it beforehand with `concurrently` under the same name where that is too long; it is then found and kept.
set local role holdfast_owner;

create index if not exists log_tenant_id_correlation_id_idx on events.log (tenant_id, correlation_id);
