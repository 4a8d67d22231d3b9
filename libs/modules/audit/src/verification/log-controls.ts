import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { type Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { insertTask } from '@holdfast/tasks';
import { callerOf, type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { countLogBreaks } from './log-breaks.sql';
import { listUnverifiedTenants } from './unverified-tenants.query';
import { logBreaks } from './verification-metrics';

/** What the controls need of their process. */
export interface LogControlsOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly report: Report;
}

const INTERVAL_MS = 60_000;
const TENANTS_PER_LOOK = 500;
const COUNTED_MAX = 10_000;

/** Sees to it that each tenant with events has the task of verifying its log, and says how much does not hold. */
export class LogControls {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: LogControlsOptions) {}

  start(): void {
    this.running = this.loop();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Leaves a task for each tenant that has none, and looks what is broken. */
  async look(): Promise<void> {
    const { grants, tenants } = this.options;
    for (const tenantId of await this.system((tx) => listUnverifiedTenants(tx, TENANTS_PER_LOOK))) {
      try {
        const caller = callerOf(await grants.forSystem('verifier', tenantId), { requestId: newId() });
        await tenants.transaction(caller, (tx) => insertTask(tx, 'audit-verification', tenantId));
      } catch (error) {
        // A tenant that is being erased needs none.
        if (!(error instanceof TenantClosed)) throw error;
      }
    }
    logBreaks.set(await this.system((tx) => countLogBreaks(tx, COUNTED_MAX)));
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
      if (signal.aborted) return;
      await this.look().catch((error: unknown) =>
        this.options.report(error, 'looking for audit logs to verify'),
      );
    }
  }

  private system<T>(work: (tx: SystemTx) => Promise<T>): Promise<T> {
    return this.options.relay.transaction((connection) => new SystemTx(connection, 'read only'), work);
  }
}
