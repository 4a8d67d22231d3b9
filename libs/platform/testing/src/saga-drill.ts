import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { type Saga, SagaRunner, steerSaga } from '@holdfast/sagas';
import { callerOf, Grants, type TenantDatabase } from '@holdfast/tenancy';
import { faultsAt, type Place, type PlannedFault, UnluckyProcess } from './saga-faults';
import type { TestDatabase } from './test-database';

/** How a saga of a drill has ended; `none` where its beginning was never committed. */
export interface DrilledSaga {
  readonly id: string;
  readonly tenantId: string;
  readonly state: 'completed' | 'compensated' | 'needs_operator' | 'none';
  readonly faults: readonly PlannedFault[];
}

/** What is drilled. */
export interface SagaDrill<Input> {
  readonly database: TestDatabase;
  readonly saga: Saga<Input>;
  /** Prepares a case: whose saga, and what it begins with. */
  readonly arrange: () => Promise<{ readonly tenantId: string; readonly input: Input }>;
  /** So many sagas at a time, of one tenant and input, which share transactions where their steps may; otherwise one. */
  readonly together?: number;
  /** Throws where an invariant does not hold: called at rest, whatever was done to the saga. */
  readonly check: (ended: DrilledSaga) => Promise<void>;
}

/** Turns of the process that takes over. Each may end with a failure that is tried again. */
const TURNS_MAX = 200;

/**
 * Runs a saga through every fault at every transaction and every call that it has, there and back, and behind every refusal through every
 * second one; calls `check` at rest after each. Answers how many cases there were. Throws the first invariant that does not hold, with the
 * faults: no case may leave a saga to an operator, unless it is one that waits behind its pivot for what does not come in time.
 */
export async function drillSaga<Input>(drill: SagaDrill<Input>): Promise<number> {
  const grants = new Grants(drill.database.as('holdfast_auth', 2));
  const relay = drill.database.as('holdfast_relay', 2);
  const stage = { drill, grants, real: drill.database.tenants(6), relay };
  try {
    let cases = 1;
    for (const first of faultsAt(await runCase(stage, []), 0)) {
      const places = await runCase(stage, [first]);
      // What a refusal turns back is drilled on its way back as well.
      // Those together go on alone behind it, and in another order each time.
      const isAlone = drill.together === undefined;
      const seconds = isAlone && first.fault === 'refused' ? faultsAt(places, first.at) : [];
      for (const second of seconds) await runCase(stage, [first, second]);
      cases += 1 + seconds.length;
    }
    return cases;
  } finally {
    grants.close();
  }
}

interface Stage<Input> {
  readonly drill: SagaDrill<Input>;
  readonly grants: Grants;
  readonly real: TenantDatabase;
  readonly relay: ConstructorParameters<typeof SagaRunner>[0]['relay'];
}

/** One saga, or those that are together, to the end. Throws where a fault did not land. Answers where the process that began it has been. */
async function runCase<Input>(
  stage: Stage<Input>,
  faults: readonly PlannedFault[],
): Promise<readonly Place[]> {
  const { drill, grants, real } = stage;
  const ids = Array.from({ length: drill.together ?? 1 }, () => newId());
  const tenants = new UnluckyProcess(real, faults, () => expire(drill.database, ids));
  const first = new SagaRunner({ tenants, grants, report: () => {} });
  const saga = tenants.running(drill.saga);
  const { tenantId, input } = await drill.arrange();
  const caller = callerOf(await grants.forSystem(drill.saga.consumer, tenantId), { requestId: newId() });
  const begin = (id: string): Promise<unknown> =>
    drill.together === undefined
      ? tenants.transaction(caller, (tx) => first.begin(tx, saga, input, id))
      : first.beginFor(caller, saga, input, id);
  const begun = Promise.all(ids.map((id) => begin(id).catch(() => {}))); // As planned.
  await Promise.race([begun, tenants.reached.promise]);
  const ended = first.stopWhenIdle();
  await Promise.race([ended, tenants.reached.promise]);
  if (tenants.landed.some(({ fault }) => fault.endsWith('and cancelled')))
    for (const id of ids) await real.transaction(caller, (tx) => steerSaga(tx, id, 'cancel')).catch(() => {}); // It may be too late for that.
  const states = new Map<string, DrilledSaga['state']>();
  for (const id of ids) states.set(id, await takeOver(stage, id));
  tenants.release();
  await begun;
  await ended;
  for (const [id, state] of states) {
    // A process that was stopped in front of the beginning begins it behind the other's look.
    const final = state === 'none' ? await takeOver(stage, id) : state;
    await judge(drill, { id, tenantId, state: final, faults });
  }
  if (tenants.landed.length < faults.length) throw new Error(`not landed: ${JSON.stringify(faults)}`);
  return tenants.places;
}

/** The time of sagas, and of the steps that they are at, is over. */
function expire(database: TestDatabase, ids: readonly string[]): Promise<unknown> {
  return database.admin(
    `update sagas.sagas
     set deadline_at = clock_timestamp(), step_deadline_at = case when step_deadline_at is not null then clock_timestamp() end
     where id = any ($1)`,
    [ids],
  );
}

async function judge<Input>(drill: SagaDrill<Input>, ended: DrilledSaga): Promise<void> {
  try {
    if (ended.state === 'needs_operator') await requireLateWait(drill.database, ended.id);
    await drill.check(ended);
  } catch (cause) {
    throw new Error(`${drill.saga.name} ${ended.state} after ${JSON.stringify(ended.faults)}`, { cause });
  }
}

/** Throws unless the saga waits for something behind its pivot, and its time was over: that is for a person to decide. */
async function requireLateWait(database: TestDatabase, id: string): Promise<void> {
  const [row] = await database.admin<{ reason: string }>('select reason from sagas.sagas where id = $1', [
    id,
  ]);
  if (row?.reason !== 'sagas.timed_out') throw new Error(`it is left to an operator: ${row?.reason}`);
}

/** Another process does what is left, at once: the lease of the first is over. */
async function takeOver<Input>(
  { drill, grants, real, relay }: Stage<Input>,
  id: string,
): Promise<DrilledSaga['state']> {
  const second = new SagaRunner({ tenants: real, grants, ...(relay && { relay }), report: () => {} });
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const [row] = await drill.database.admin<{ state: DrilledSaga['state']; open: boolean }>(
      `update sagas.sagas
       set lease_until = null, due_at = case when due_at is not null then least(due_at, clock_timestamp()) end
       where id = $1
       returning state, due_at is not null as open`,
      [id],
    );
    if (!row?.open) return row?.state ?? 'none';
    await second.runDue();
    await sleep(1);
  }
  throw new Error(`saga ${id} did not end`);
}
