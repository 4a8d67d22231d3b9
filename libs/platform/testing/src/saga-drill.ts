import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, Conflict, newId } from '@holdfast/kernel';
import { DatabaseUnavailable, OutcomeUnknown } from '@holdfast/database';
import { type Saga, SagaRunner, steerSaga } from '@holdfast/sagas';
import { callerOf, Grants, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import type { TestDatabase } from './test-database';

/**
 * What happens to a transaction of the runner: the process dies before it, or behind its commit; the answer to its commit is lost; it
 * is refused, or the database is away; the process is stopped in front of it until another has ended the saga, which went on with it or
 * was asked to cancel it, and goes on.
 */
export type SagaFault = (typeof FAULTS)[number];

const FAULTS = [
  ...(['died before', 'died behind', 'lost answer', 'refused', 'unavailable'] as const),
  ...(['stopped', 'stopped and cancelled'] as const),
] as const;

/** A fault at the nth transaction, counted from 1, that of the beginning. */
export interface PlannedFault {
  readonly at: number;
  readonly fault: SagaFault;
}

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

class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

/** The pool of a process that things happen to. */
class UnluckyTenants extends TenantDatabase {
  count = 0;
  readonly landed: PlannedFault[] = [];
  private isDead = false;
  private readonly released = Promise.withResolvers<void>();
  readonly reached = Promise.withResolvers<void>();

  constructor(
    real: TenantDatabase,
    private readonly faults: readonly PlannedFault[],
  ) {
    super(real.database);
  }

  /** Lets a stopped process go on. */
  release(): void {
    this.released.resolve();
  }

  override async transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    if (this.isDead) throw new ProcessDied();
    this.count += 1;
    const planned = this.faults.find(({ at }) => at === this.count);
    if (!planned) return super.transaction(caller, work);
    this.landed.push(planned);
    return this.fail(planned.fault, caller, work);
  }

  private async fail<T>(fault: SagaFault, caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    if (fault === 'died before') throw this.die();
    if (fault === 'unavailable') throw new DatabaseUnavailable(new Error('drilled'));
    if (fault.startsWith('stopped')) {
      this.reached.resolve();
      await this.released.promise;
    }
    const result = await super.transaction(caller, async (tx) => {
      const done = await work(tx);
      if (fault === 'refused') throw new Conflict();
      return done;
    });
    if (fault === 'died behind') throw this.die();
    if (fault === 'lost answer') throw new OutcomeUnknown(new Error('drilled'));
    return result;
  }

  private die(): ProcessDied {
    this.isDead = true;
    this.reached.resolve();
    return new ProcessDied();
  }
}

/** Turns of the process that takes over. Each may end with a failure that is tried again. */
const TURNS_MAX = 200;

/**
 * Runs a saga through every fault at every transaction that it has, there and back, and behind every refusal through every second one;
 * calls `check` at rest after each. Answers how many cases there were. Throws the first invariant that does not hold, with the faults.
 */
export async function drillSaga<Input>(drill: SagaDrill<Input>): Promise<number> {
  const grants = new Grants(drill.database.as('holdfast_auth', 2));
  const relay = drill.database.as('holdfast_relay', 2);
  const stage = { drill, grants, real: drill.database.tenants(6), relay };
  try {
    let cases = 1;
    for (const first of faultsFrom(1, await runCase(stage, []))) {
      const count = await runCase(stage, [first]);
      // What a refusal turns back is drilled on its way back as well.
      // Those together go on alone behind it, and in another order each time.
      const isAlone = drill.together === undefined;
      const seconds = isAlone && first.fault === 'refused' ? faultsFrom(first.at + 1, count) : [];
      for (const second of seconds) await runCase(stage, [first, second]);
      cases += 1 + seconds.length;
    }
    return cases;
  } finally {
    grants.close();
  }
}

function faultsFrom(at: number, end: number): PlannedFault[] {
  const places = Array.from({ length: Math.max(0, end - at + 1) }, (_, index) => at + index);
  return places.flatMap((place) => FAULTS.map((fault) => ({ at: place, fault })));
}

interface Stage<Input> {
  readonly drill: SagaDrill<Input>;
  readonly grants: Grants;
  readonly real: TenantDatabase;
  readonly relay: ConstructorParameters<typeof SagaRunner>[0]['relay'];
}

/** One saga, or those that are together, to the end. Throws where a fault did not land. Answers how many transactions the process that began it has made. */
async function runCase<Input>(stage: Stage<Input>, faults: readonly PlannedFault[]): Promise<number> {
  const { drill, grants, real } = stage;
  const tenants = new UnluckyTenants(real, faults);
  const first = new SagaRunner({ tenants, grants, report: () => {} });
  const { tenantId, input } = await drill.arrange();
  const ids = Array.from({ length: drill.together ?? 1 }, () => newId());
  const caller = callerOf(await grants.forSystem(drill.saga.consumer, tenantId), { requestId: newId() });
  const begin = (id: string): Promise<unknown> =>
    drill.together === undefined
      ? tenants.transaction(caller, (tx) => first.begin(tx, drill.saga, input, id))
      : first.beginFor(caller, drill.saga, input, id);
  const begun = Promise.all(ids.map((id) => begin(id).catch(() => {}))); // As planned.
  await Promise.race([begun, tenants.reached.promise]);
  const ended = first.stopWhenIdle();
  await Promise.race([ended, tenants.reached.promise]);
  if (tenants.landed.some(({ fault }) => fault === 'stopped and cancelled'))
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
  return tenants.count;
}

async function judge<Input>(drill: SagaDrill<Input>, ended: DrilledSaga): Promise<void> {
  try {
    await drill.check(ended);
  } catch (cause) {
    throw new Error(`${drill.saga.name} ${ended.state} after ${JSON.stringify(ended.faults)}`, { cause });
  }
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
