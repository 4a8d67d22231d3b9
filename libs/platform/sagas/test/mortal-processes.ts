import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { built, type TestDatabase } from '@holdfast/testing';
import type { Death, MortalPlan } from './mortal-process';

/** The processes of a program that ends in `runMortal`, over a test's database. */
export class MortalProcesses<Plan extends MortalPlan> {
  private readonly children = new Set<ChildProcess>();
  private readonly program: string;

  /** `source` is the program's file below the root. Builds it, if a source is newer. */
  constructor(
    readonly database: TestDatabase,
    source: string,
  ) {
    this.program = join(built(), source.replace(/\.ts$/, '.js'));
  }

  /** Kills those that are left. */
  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }

  /** One that goes on with sagas of others; answers once it runs. */
  async worker(plan: Omit<Plan, keyof MortalPlan>): Promise<ChildProcess> {
    const child = this.spawn(plan, undefined, true);
    await once(child, 'message');
    return child;
  }

  /** One that is killed there, or by `close`; answers whether it was, or had come to its end before. */
  async kill(plan: Omit<Plan, keyof MortalPlan>, killed?: Death): Promise<boolean> {
    const [code, signal] = (await once(this.spawn(plan, killed, false), 'exit')) as [
      number | null,
      string | null,
    ];
    if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the process has ended with ${code ?? signal}`);
    return signal === 'SIGKILL';
  }

  /** Ends the leases of whoever was killed: 90 s are more than a test waits. */
  async endLeases(sagaIds: readonly string[]): Promise<void> {
    await this.database.admin(
      'update sagas.sagas set lease_until = null where id = any ($1) and due_at is not null',
      [sagaIds],
    );
  }

  /** Waits until a saga is at rest, for half a minute; answers how it has ended, `none` where it was never begun. */
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

  private spawn(
    plan: Omit<Plan, keyof MortalPlan>,
    killed: Death | undefined,
    isWorker: boolean,
  ): ChildProcess {
    const child = fork(this.program, { execArgv: [] });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    const [app, auth, relay] = (['holdfast_app', 'holdfast_auth', 'holdfast_relay'] as const).map((role) =>
      this.database.url(role),
    );
    child.send({ ...plan, ...(killed && { killed }), isWorker, urls: { app, auth, relay } });
    return child;
  }
}
