import { Database } from '@holdfast/database';
import type { Caller } from '@holdfast/kernel';
import { Grants, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { SagaRunner } from '../src/saga-runner';

/** Where a process is killed: before or behind its nth transaction or call, counted from 1. */
export interface Death {
  readonly at: number;
  readonly isBehind: boolean;
}

/** What a process is told. */
export interface MortalPlan {
  readonly urls: { readonly app: string; readonly auth: string; readonly relay: string };
  /** Absent: it lives. */
  readonly killed?: Death;
  /** Whether it looks for sagas of others, until it is killed; otherwise it ends when its own are at rest. */
  readonly isWorker: boolean;
}

/** What a process runs sagas with. */
export interface Mortal {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
  readonly runner: SagaRunner;
  readonly fate: Fate;
}

/** Ends this process as `kill -9` does: nothing of it runs any more behind this line. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Counts what the process does, and kills it where the plan says so. */
export class Fate {
  private count = 0;

  constructor(private readonly killed: Death | undefined) {}

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

/** What a process does of its own plan, which has more than every plan. */
type Work = (plan: never, mortal: Mortal) => Promise<void>;

async function run(plan: MortalPlan, work: Work): Promise<void> {
  const open = (url: string): Database => new Database({ url, name: 'saga process', connectionsMax: 3 });
  const [app, auth, relay] = [open(plan.urls.app), open(plan.urls.auth), open(plan.urls.relay)];
  const fate = new Fate(plan.killed);
  const [tenants, grants] = [new MortalTenants(app, fate), new Grants(auth)];
  const runner = new SagaRunner({ tenants, grants, relay, report: () => {} });
  await work(plan as never, { tenants, grants, runner, fate });
  process.send?.('begun');
  if (plan.isWorker) return runner.start();
  await runner.stopWhenIdle();
  grants.close();
  await Promise.all([app.close(), auth.close(), relay.close()]);
  process.disconnect();
}

/** Makes this process one that does the work when it is sent its plan, runs what sagas that leaves, and dies where the plan says. */
export function runMortal(work: Work): void {
  // A test that was ended leaves none behind.
  process.once('disconnect', () => process.exit());
  process.once('message', (plan: MortalPlan) => {
    run(plan, work).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
  });
}
