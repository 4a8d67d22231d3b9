-- Finds what is due of the definitions that a process knows. By the old index it read, twice a second, all that waits for days, and all that
-- is due under names and hashes that nobody has: 100 ms for 200,000 of them, which an injected statement can begin, and which stay.
--
-- Not safe under load where there are many sagas: the index holds up their changes while it is built, about a second per million. Build it
-- beforehand with `concurrently` under the same name where that is too long; it is then found and kept. The release before finds by it what
-- it found by the old one.
set local role holdfast_owner;

create index if not exists sagas_name_hash_due_at_idx on sagas.sagas (name, hash, due_at) where due_at is not null;
drop index sagas.sagas_due_at_idx;
