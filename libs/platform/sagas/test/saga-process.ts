import { Database } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import { callerOf, Grants, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import type { z } from 'zod';
import { SagaRunner } from '../src/saga-runner';
import { killedPayment, type killedInput } from './killed-payment';

/** What a process is to do. */
export interface SagaPlan {
  readonly urls: { readonly app: string; readonly auth: string; readonly relay: string };
  /** Which revisions of the definition it knows; it begins sagas of the last. */
  readonly revisions: readonly number[];
  readonly begins: readonly {
    readonly id: string;
    readonly tenantId: string;
    readonly input: z.input<typeof killedInput>;
  }[];
  /** The nth transaction or call, counted from 1, before or behind which it is killed. */
  readonly killed?: { readonly at: number; readonly isBehind: boolean };
  /** Whether it looks for sagas of others, until it is killed; otherwise it ends when its own are at rest. */
  readonly isWorker: boolean;
}

/** Ends this process as `kill -9` does: nothing of it runs any more behind this line. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Counts what the process does, and kills it where the plan says so. */
class Fate {
  private count = 0;

  constructor(private readonly killed: SagaPlan['killed']) {}

  async meet<T>(work: () => Promise<T>): Promise<T> {
    this.count += 1;
    const isNow = this.count === this.killed?.at;
    if (isNow && !this.killed.isBehind) die();
    try {
      return await work();
    } finally {
      // Also behind what was refused.
      if (isNow) die();
    }
  }
}

class MortalTenants extends TenantDatabase {
  constructor(
    database: Database,
    private readonly fate: Fate,
  ) {
    super(database);
  }

  override transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    return this.fate.meet(() => super.transaction(caller, work));
  }
}

async function run({ urls, revisions, begins, killed, isWorker }: SagaPlan): Promise<void> {
  const open = (url: string): Database => new Database({ url, name: 'saga process', connectionsMax: 3 });
  const [app, auth, relay] = [open(urls.app), open(urls.auth), open(urls.relay)];
  const fate = new Fate(killed);
  const definitions = revisions.map((revision) => killedPayment(revision, (work) => fate.meet(work)));
  const [tenants, grants] = [new MortalTenants(app, fate), new Grants(auth)];
  const runner = new SagaRunner({ tenants, grants, ...(isWorker && { relay }), report: () => {} });
  const definition = definitions.at(-1);
  if (isWorker) runner.start();
  for (const { id, tenantId, input } of definition ? begins : []) {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    await tenants.transaction(caller, async (tx) => definition && runner.begin(tx, definition, input, id));
  }
  process.send?.('begun');
  if (isWorker) return;
  await runner.stopWhenIdle();
  grants.close();
  await Promise.all([app.close(), auth.close(), relay.close()]);
  process.disconnect();
}

// A test that was ended leaves none behind.
process.once('disconnect', () => process.exit());
process.once('message', (plan: SagaPlan) => {
  run(plan).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
