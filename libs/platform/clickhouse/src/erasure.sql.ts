/** Hours that have one event less when the users are gone, noted before they go: afterwards nothing tells which they were. */
export const MARK_HOURS_OF_USERS = `insert into telemetry.dirty_hours (tenant_id, hour)
  select distinct tenant_id, toStartOfHour(at)
  from telemetry.tracked
  where tenant_id = {tenant_id:UUID} and has(JSONExtract({users:String}, 'Array(String)'), user_id)`;

/** Waits until it is done: on every replica, where there are any. */
export const ERASE_USERS = `alter table telemetry.tracked delete
  where tenant_id = {tenant_id:UUID} and has(JSONExtract({users:String}, 'Array(String)'), user_id)
  settings mutations_sync = 2`;

/** Samples of what was refused do not say whose they are: those of the tenant go, which are kept for a month at most. */
export const ERASE_SAMPLES = `alter table telemetry.bad_rows delete
  where tenant_id = {tenant_id:UUID}
  settings mutations_sync = 2`;

/** A run that began in between has counted the users still: the hours are dirty from the end of the erasure on. */
export const MARK_AGAIN = `insert into telemetry.dirty_hours (tenant_id, hour)
  select distinct tenant_id, hour
  from telemetry.dirty_hours
  where tenant_id = {tenant_id:UUID}`;

/**
 * Counted values of those hours and of their days go, with whatever only these users had, and are marked as left out: until they are
 * counted anew they are read from the rows.
 */
export const EMPTY_VALUES = `alter table telemetry.value_counts update members = [], counts = [], is_partial = 1
  where tenant_id = {tenant_id:UUID} and (
    begins in (select hour from telemetry.dirty_hours where tenant_id = {tenant_id:UUID})
    or span = 'day' and begins in (select toStartOfDay(hour) from telemetry.dirty_hours where tenant_id = {tenant_id:UUID}))
  settings mutations_sync = 2, allow_nondeterministic_mutations = 1`;
