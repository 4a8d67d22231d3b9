-- Keeps what the saga of a payment begins with to what the API takes. A statement injected into a request of the payer could else have the bank
-- sent anything in the place of an IBAN; begin a payment to a bank that no list of payments could show, and for which the whole list
-- failed; or one that can neither be made nor given up, because what is kept of its IBAN cannot be made out.
--
-- Safe under load: a function, and a trigger for which the table's lock is taken for a moment. The release before begins payments no otherwise.
set local role holdfast_owner;

create function payments.keep_input() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  uuid_form constant text := '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
  begins constant jsonb := new.input;
begin
  if (begins->>'fromAccountId' ~ uuid_form
      and begins->>'amount' ~ '^[1-9][0-9]{0,18}$' and pg_input_is_valid(begins->>'amount', 'bigint')
      and begins->>'asset' ~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'
      and case new.name
        when 'payments.bank_payment' then begins->>'toIban' ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'
        else begins->>'toTenantId' ~ uuid_form and begins->>'toAccountId' ~ uuid_form
      end) is not true then
    raise exception 'no % begins so', new.name using errcode = 'HF003';
  end if;
  return new;
end $$;
revoke execute on function payments.keep_input() from public;

create trigger kept_payment before insert on sagas.sagas for each row
  when (new.name in ('payments.payment', 'payments.bank_payment') and current_user = 'holdfast_app')
  execute function payments.keep_input();
