import { statement, type SystemTx } from '@holdfast/database';
import type { PolicyName } from '@holdfast/config';
import type { Drill, HeardDrill } from '@holdfast/resilience';

/** A drill that runs, in whatever process it was begun. */
export interface RunningDrill extends HeardDrill {
  /** By the database's clock, in milliseconds of the epoch. */
  readonly endsAtMs: number;
}

/** A drill that an operator asks for. */
export interface NewDrill extends Pick<Drill, 'does' | 'delayMs'> {
  readonly policy: PolicyName;
  readonly seconds: number;
}

const BEGIN = statement(
  'drills.begin',
  `insert into drills.drills (policy, does, delay_ms, begun_by, ends_at)
   values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
   on conflict (policy) do update
   set does = excluded.does, delay_ms = excluded.delay_ms, begun_by = excluded.begun_by, ends_at = excluded.ends_at`,
);

const LIST_RUNNING = statement<RunningDrill>(
  'drills.list_running',
  `select policy, does, delay_ms as "delayMs", extract(epoch from ends_at - clock_timestamp())::float8 * 1000 as "leftMs",
     floor(extract(epoch from ends_at) * 1000)::float8 as "endsAtMs"
   from drills.drills
   where ends_at > clock_timestamp()
   limit 100`,
);

/** Begins a drill in place of the one of its policy; in the role holdfast_ops. */
export async function storeDrill(tx: SystemTx, drill: NewDrill, operator: string): Promise<void> {
  const { policy, does, delayMs, seconds } = drill;
  await tx.execute(BEGIN, [policy, does, delayMs, operator, seconds]);
}

/** What runs now; in the roles holdfast_ops, holdfast_relay and holdfast_auth. */
export function listRunningDrills(tx: SystemTx): Promise<RunningDrill[]> {
  return tx.rows(LIST_RUNNING, []);
}
