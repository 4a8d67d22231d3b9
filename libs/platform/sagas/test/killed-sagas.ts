import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { built, TestDatabase } from '@holdfast/testing';
import { stepKey } from '../src/saga-work';
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
  private readonly children = new Set<ChildProcess>();
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
    private readonly program: string,
  ) {}

  static async open(): Promise<KilledSagas> {
    const program = join(built(), 'libs/platform/sagas/test/saga-process.js');
    const sagas = new KilledSagas(await TestDatabase.create(), program);
    await new Promise<void>((listening) => sagas.bank.listen(0, '127.0.0.1', listening));
    return sagas;
  }

  async close(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    this.bank.close();
    this.bank.closeAllConnections();
    await this.database.drop();
  }

  /** A process with these definitions that goes on with sagas of others; answers once it runs. */
  async worker(revisions: readonly number[]): Promise<ChildProcess> {
    const child = this.spawn({ revisions, begins: [], isWorker: true });
    await once(child, 'message');
    return child;
  }

  /**
   * A process that begins so many sagas and is killed; answers whether it was, or had come to its end before. Its leases end with it:
   * 90 s are more than a test waits.
   */
  async kill(
    killed: SagaPlan['killed'],
    { isRefused, count = 1, revision = 1 }: { isRefused: boolean; count?: number; revision?: number },
  ): Promise<{ readonly wasKilled: boolean; readonly sagas: readonly KilledSaga[] }> {
    const { port } = this.bank.address() as AddressInfo;
    const input = { bankUrl: `http://127.0.0.1:${port}`, isRefused };
    const begins = Array.from({ length: count }, () => ({
      ...{ id: newId(), tenantId: newId() },
      input: { ...input, payeeId: newId() },
    }));
    const child = this.spawn({
      ...{ revisions: [revision], begins, isWorker: false },
      ...(killed && { killed }),
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the process has ended with ${code ?? signal}`);
    const sagas = begins.map(({ id }) => ({ id, isRefused }));
    await this.database.admin(
      'update sagas.sagas set lease_until = null where id = any ($1) and due_at is not null',
      [sagas.map(({ id }) => id)],
    );
    return { wasKilled: signal === 'SIGKILL', sagas };
  }

  /** Waits until it is at rest, for half a minute; answers how it has ended, `none` where it was never begun. */
  async ended(id: string): Promise<string> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const [row] = await this.database.admin<{ state: string; open: boolean }>(
        'select state, due_at is not null as open from sagas.sagas where id = $1',
        [id],
      );
      if (!row?.open) return row?.state ?? 'none';
      if (Date.now() > deadline) throw new Error(`saga ${id} is still ${row.state}`);
      await sleep(20);
    }
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

  private spawn(plan: Omit<SagaPlan, 'urls'>): ChildProcess {
    const child = fork(this.program, { execArgv: [] });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    const [app, auth, relay] = (['holdfast_app', 'holdfast_auth', 'holdfast_relay'] as const).map((role) =>
      this.database.url(role),
    );
    child.send({ ...plan, urls: { app, auth, relay } });
    return child;
  }
}
