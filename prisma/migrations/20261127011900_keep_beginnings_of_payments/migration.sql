-- Keeps the row by which a tenant asks for a payment to what the API writes. A statement injected into a request could write one with an instant
-- that no client reads, or an asset of any size, and every list of the tenant's payments failed that came to it.
--
-- Safe under load: a trigger, for which the table's lock is taken for a moment. The release before writes the same.
set local role holdfast_owner;

drop trigger kept_insert on payments.payments;
create trigger kept_insert before insert on payments.payments for each row
  when (current_user = 'holdfast_app' and (
    (new.direction, new.status, new.hold_id is null, new.posted_at is null, new.reason is null, new.version)
      <> ('outgoing', 'pending', true, true, true, 1)
    -- The minute is for a clock that is set meanwhile.
    or new.created_at not between transaction_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute'
    or new.asset !~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'))
  execute function tenancy.require_system('payments');
