import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { stepKey } from '../src/saga-work';
import type { Death } from './mortal-process';
import { MortalProcesses } from './mortal-processes';
import type { SagaPlan } from './saga-process';

/** The steps that leave an effect in a tenant, and those that ask the bank, in their order. */
const EFFECTS = ['hold', 'hold_for_payee', 'decide', 'post_for_payee'];
const BACKWARD = ['reserve', 'hold_for_payee', 'hold'];
/** What the bank has of the reservation when a saga has ended so. */
const RESERVED = new Map([
  ['completed', 'paid'],
  ['compensated', 'cancelled'],
]);

/** A saga that a process has begun, or was killed before it could. */
export interface KilledSaga {
  readonly id: string;
  readonly isRefused: boolean;
}

/** Processes that are killed while they run sagas, the one that goes on, and a bank that answers each key once. */
export class KilledSagas {
  private readonly keys = new Map<string, 'paid' | 'cancelled'>();
  private readonly bank = createServer((request, response) => {
    const [, what, key = ''] = request.url?.split('/') ?? [];
    // A cancellation holds, also for a payment under the key that comes later.
    if (what === 'cancel') this.keys.set(key, 'cancelled');
    else if (!this.keys.has(key)) this.keys.set(key, 'paid');
    response.end();
  });

  private constructor(
    readonly database: TestDatabase,
    private readonly processes: MortalProcesses<SagaPlan>,
  ) {}

  static async open(): Promise<KilledSagas> {
    const database = await TestDatabase.create();
    const processes = new MortalProcesses<SagaPlan>(database, 'libs/platform/sagas/test/saga-process.ts');
    const sagas = new KilledSagas(database, processes);
    await new Promise<void>((listening) => sagas.bank.listen(0, '127.0.0.1', listening));
    return sagas;
  }

  async close(): Promise<void> {
    this.processes.close();
    this.bank.close();
    this.bank.closeAllConnections();
    await this.database.drop();
  }

  /** A process with these definitions that goes on with sagas of others; answers once it runs. */
  worker(revisions: readonly number[]): Promise<ChildProcess> {
    return this.processes.worker({ revisions, begins: [] });
  }

  /** A process that begins so many sagas and is killed; answers whether it was, or had come to its end before. Its leases end with it. */
  async kill(
    killed: Death,
    { isRefused, count = 1, revision = 1 }: { isRefused: boolean; count?: number; revision?: number },
  ): Promise<{ readonly wasKilled: boolean; readonly sagas: readonly KilledSaga[] }> {
    const { port } = this.bank.address() as AddressInfo;
    const input = { bankUrl: `http://127.0.0.1:${port}`, isRefused };
    const begins = Array.from({ length: count }, () => ({
      ...{ id: newId(), tenantId: newId() },
      input: { ...input, payeeId: newId() },
    }));
    const wasKilled = await this.processes.kill({ revisions: [revision], begins }, killed);
    const sagas = begins.map(({ id }) => ({ id, isRefused }));
    await this.processes.endLeases(sagas.map(({ id }) => id));
    return { wasKilled, sagas };
  }

  /** Waits until it is at rest. */
  ended(id: string): Promise<string> {
    return this.processes.ended(id);
  }

  /** What does not hold of a saga at rest: whole or undone, each effect once, compensated in the reverse order. */
  async findBreaks({ id, isRefused }: KilledSaga): Promise<string[]> {
    const state = await this.ended(id);
    const [effects, trail] = await Promise.all([this.effectsOf(id), this.trailOf(id)]);
    const count = (what: string, step: string): number =>
      effects.filter((each) => each.what === what && each.key === stepKey(id, step)).length;
    const paid = (step: string): string | undefined => this.keys.get(stepKey(id, step));
    const breaks: string[] = [];
    const expect = (what: string, is: unknown, wanted: unknown): void => {
      if (is !== wanted) breaks.push(`${id} ${state}: ${what} is ${String(is)}, not ${String(wanted)}`);
    };
    if (state !== 'none') expect('its end', state, isRefused ? 'compensated' : 'completed');
    for (const step of EFFECTS) {
      const undone = count('undone', step);
      expect(`what ${step} made`, count('made', step) - undone, state === 'completed' ? 1 : 0);
      if (undone > 1) breaks.push(`${id}: ${step} was undone ${undone} times`);
    }
    expect('the reservation', paid('reserve'), RESERVED.get(state));
    expect('the notice', paid('notify'), state === 'completed' ? 'paid' : undefined);
    const undone = trail.filter(({ type }) => type.endsWith('step_compensated')).map(({ step }) => step);
    expect('the way back', undone.join(), state === 'compensated' ? BACKWARD.join() : '');
    const undoing = effects.filter(({ what }) => what === 'undone').map(({ key }) => key);
    const inReverse = BACKWARD.map((step) => stepKey(id, step)).filter((key) => undoing.includes(key));
    expect('the order of what was undone', undoing.join(), inReverse.join());
    return breaks;
  }

  /** Under which revisions the effects of a saga were made. */
  async revisionsOf(id: string): Promise<number[]> {
    return [...new Set((await this.effectsOf(id)).map(({ revision }) => revision))];
  }

  private effectsOf(
    id: string,
  ): Promise<{ readonly what: string; readonly key: string; readonly revision: number }[]> {
    return this.database.admin(
      `select split_part(type, '.', 3) as what, data->>'key' as key, (data->>'revision')::int as revision
       from events.log where stream_type = 'test.kill' and data->>'sagaId' = $1 order by seq`,
      [id],
    );
  }

  private trailOf(id: string): Promise<{ readonly type: string; readonly step: string | null }[]> {
    return this.database.admin(
      `select type, data->>'step' as step from events.log
       where stream_type = 'sagas.saga' and stream_id = $1 order by stream_version`,
      [id],
    );
  }
}
