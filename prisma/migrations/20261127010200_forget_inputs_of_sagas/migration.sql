-- Where a saga is begun with something personal, such as the IBAN of whoever is paid at another bank, its row kept that for as long as there
-- is a row. Its module may now leave less of it once the saga has ended; nobody else changes what a saga was begun with, because steps in
-- other tenants are done on its word.
--
-- Safe under load: a grant, and a trigger on a table whose lock is taken for a moment. The release before changes no input.
set local role holdfast_owner;

grant update (input) on sagas.sagas to holdfast_app;
create trigger kept_input before update of input on sagas.sagas for each row
  when (current_user = 'holdfast_app') execute function sagas.keep_module();
