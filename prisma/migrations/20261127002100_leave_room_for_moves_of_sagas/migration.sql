-- Room on the pages of sagas for the row's next version: a saga moves a few times and is then left alone. Without it no move finds room
-- on its page, and each writes all five indexes, though no move but the last changes what they hold.
--
-- Safe under load: waits for the writers of the table, and they for it, for a moment; rows that are there stay where they are.
set local role holdfast_owner;

alter table sagas.sagas set (fillfactor = 50);
