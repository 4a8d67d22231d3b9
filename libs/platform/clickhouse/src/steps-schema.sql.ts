import type { TelemetryMigration } from './telemetry-migration';

const RANGE = `at >= parseDateTime64BestEffort({from:String}, 6, 'UTC') and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')`;

const DAYS = `intDiv(made_at, 86400000) >= intDiv(toUnixTimestamp64Milli(parseDateTime64BestEffort({from:String}, 3, 'UTC')), 86400000)
       and intDiv(made_at, 86400000) <= intDiv(toUnixTimestamp64Milli(parseDateTime64BestEffort({to:String}, 3, 'UTC')), 86400000)`;

const OF_STEPS = 'tenant_id = {tenant_id:UUID} and name in {steps:Array(String)}';

const IS_CORRECTED = 'toUnixTimestamp64Milli(at) != made_at';

// What users did of the steps of a funnel, by the place of the step. A copy that says the same time as its event is the same step at the
// same instant, which changes no funnel: it is left in, and nothing has to be merged. Where a clock was corrected the copy that was
// received first counts. Such messages are known by the instant of which a copy has a corrected one; others of that instant are taken
// along, which costs their grouping and nothing else.
const TENANT_STEPS = `create or replace view telemetry.tenant_steps as
   select user_hash, toUInt64(toUnixTimestamp64Milli(at)) as milliseconds,
     transform(name, {steps:Array(String)}, range(1, length({steps:Array(String)}) + 1), 0) as step
   from telemetry.tracked
   where ${OF_STEPS} and ${RANGE} and user_hash != 0 and not (${IS_CORRECTED})
     and made_at not in (select made_at from telemetry.tracked where ${OF_STEPS} and ${DAYS} and ${IS_CORRECTED})
   union all
   select user_hash, toUInt64(toUnixTimestamp64Milli(instant)) as milliseconds,
     transform(name, {steps:Array(String)}, range(1, length({steps:Array(String)}) + 1), 0) as step
   from (
     select name, argMax(at, precedence) as instant, argMax(user_hash, precedence) as user_hash
     from telemetry.tracked
     where ${OF_STEPS} and made_at in (
       select made_at from telemetry.tracked where ${OF_STEPS} and ${DAYS} and ${IS_CORRECTED}
       union all
       select made_at from telemetry.tracked where ${OF_STEPS} and ${RANGE} and ${IS_CORRECTED})
     group by made_at, name, message_fingerprint
   )
   where instant >= parseDateTime64BestEffort({from:String}, 6, 'UTC') and instant < parseDateTime64BestEffort({to:String}, 6, 'UTC')
     and user_hash != 0
   union all
   select sipHash64(substring(actor, 8)) as user_hash, toUInt64(toUnixTimestamp64Milli(at)) as milliseconds,
     transform(type, {steps:Array(String)}, range(1, length({steps:Array(String)}) + 1), 0) as step
   from telemetry.events final
   where tenant_id = {tenant_id:UUID} and type in {steps:Array(String)} and startsWith(actor, 'member:') and ${RANGE}`;

/** What funnels read. */
export const STEPS_MIGRATIONS: readonly TelemetryMigration[] = [
  { version: 11, name: 'create_steps', statements: [TENANT_STEPS] },
];
