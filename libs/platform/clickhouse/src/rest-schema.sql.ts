import type { TelemetryMigration } from './telemetry-migration';

const RANGE = `tenant_id = {tenant_id:UUID}
         and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
         and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')`;

/** What of a range is not rolled up. */
const REST = `${RANGE}
         and (at < parseDateTime64BestEffort({rolled_from:String}, 6, 'UTC') or at >= parseDateTime64BestEffort({rolled_to:String}, 6, 'UTC'))`;

// Copies share the day in which their message was made, whatever they say of when it happened.
const DAYS_OF_REST = `intDiv(made_at, 86400000) in (
           select distinct intDiv(made_at, 86400000) from telemetry.tracked where ${REST} and {is_long:UInt8} = LONG)`;

const COLUMNS =
  'at, made_at, name, message_fingerprint, precedence, kind, user_id, user_hash, group_id, properties, context';

const IS_CORRECTED = 'toUnixTimestamp64Milli(at) != made_at';

// The events of a range that no roll-up has, each once. Two ways, of which `is_long` takes one and the other reads nothing. `final` merges
// whole days, so for an hour or two of them the copies are put together here, a tenth of the work: beside the rows of the rest those are
// read that may be copies of one of them and lie elsewhere, which is so only where the clock of one of both was corrected. Of copies the
// one with the largest precedence counts, and the event is in the rest if that one is.
const TENANT_REST = `create or replace view telemetry.tenant_rest as
   select at, name, kind, user_id, user_hash, group_id, properties, context
   from telemetry.tracked final
   where ${REST} and ${DAYS_OF_REST.replace('LONG', '1')} and {is_long:UInt8} = 1
   union all
   select instant as at, name, argMax(kind, precedence), argMax(user_id, precedence), argMax(user_hash, precedence),
     argMax(group_id, precedence), argMax(properties, precedence), argMax(context, precedence)
   from (
     select ${COLUMNS} from telemetry.tracked where ${REST} and {is_long:UInt8} = 0
     union all
     select ${COLUMNS} from telemetry.tracked
     where tenant_id = {tenant_id:UUID} and ${DAYS_OF_REST.replace('LONG', '0')} and not (${REST}) and ${IS_CORRECTED} and {is_long:UInt8} = 0
     union all
     select ${COLUMNS} from telemetry.tracked
     where tenant_id = {tenant_id:UUID} and ${DAYS_OF_REST.replace('LONG', '0')} and not (${REST}) and not (${IS_CORRECTED})
       and message_fingerprint in (select message_fingerprint from telemetry.tracked where ${REST} and ${IS_CORRECTED} and {is_long:UInt8} = 0)
       and {is_long:UInt8} = 0
   )
   group by made_at, name, message_fingerprint
   having (argMax(at, precedence) as instant) >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
     and instant < parseDateTime64BestEffort({to:String}, 6, 'UTC')
     and (instant < parseDateTime64BestEffort({rolled_from:String}, 6, 'UTC') or instant >= parseDateTime64BestEffort({rolled_to:String}, 6, 'UTC'))`;

// How many users are in a set: a column of eight bytes where the set has eight for each. Of rows that are there it is made when it is read.
const USER_COUNT = `alter table telemetry.user_sets
   add column if not exists user_count UInt64 materialized finalizeAggregation(users)`;

const TENANT_USER_SETS = `create or replace view telemetry.tenant_user_sets as
   select span, is_total, name, kind, begins, users, user_count
   from telemetry.user_sets final
   where tenant_id = {tenant_id:UUID} and begins < (select toStartOfHour(max(started_at)) from telemetry.roll_ups)
   settings do_not_merge_across_partitions_select_final = 1`;

/** What reads take from the rows beside the roll-ups. They begin anew, since those that are there have no sets of kinds. */
export const REST_MIGRATIONS: readonly TelemetryMigration[] = [
  {
    version: 9,
    name: 'read_rest_of_range',
    statements: [TENANT_REST, USER_COUNT, TENANT_USER_SETS, 'truncate table telemetry.roll_ups'],
  },
];
