import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { callerOf, Grants, type TenantDatabase } from '@holdfast/tenancy';
import type { Saga } from '../src/saga';
import { SagaRunner } from '../src/saga-runner';
import { steerSaga, type Steering } from '../src/steer-saga';

/** A saga's row, as far as tests ask for it. */
export interface SagaFound {
  readonly state: string;
  readonly place: number;
  readonly reason: string | null;
  readonly results: unknown;
}

/** A database with runners, and what tests do with sagas. */
export class SagaStage {
  readonly reports: string[] = [];
  private readonly runners: SagaRunner[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly grants: Grants,
    private readonly tenants: TenantDatabase,
  ) {}

  static async open(): Promise<SagaStage> {
    const database = await TestDatabase.create();
    return new SagaStage(database, new Grants(database.as('holdfast_auth', 2)), database.tenants(10));
  }

  async close(): Promise<void> {
    await Promise.all(this.runners.map((runner) => runner.stop()));
    this.grants.close();
    await this.database.drop();
  }

  /** A process with a runner: it looks for work by itself once it is started, and with `runDue`. */
  runner(lanes?: number, tenants = this.tenants, grants = this.grants): SagaRunner {
    const runner = new SagaRunner({
      tenants,
      grants,
      relay: this.database.as('holdfast_relay', 2),
      report: (error, doing) => void this.reports.push(`${doing}: ${String(error)}`),
      ...(lanes !== undefined && { lanes }),
    });
    this.runners.push(runner);
    return runner;
  }

  async begin<Input>(
    by: SagaRunner,
    tenantId: string,
    saga: Saga<Input>,
    input: Input,
    request: { readonly traceparent?: string } = {},
  ): Promise<string> {
    const caller = callerOf(await this.grants.forSystem('test', tenantId), {
      requestId: newId(),
      ...request,
    });
    return this.tenants.transaction(caller, (tx) => by.begin(tx, saga, input));
  }

  async steer(tenantId: string, id: string, steering: Steering): Promise<void> {
    const caller = callerOf(await this.grants.forSystem('operator', tenantId), { requestId: newId() });
    await this.tenants.transaction(caller, (tx) => steerSaga(tx, id, steering));
  }

  async find(id: string): Promise<SagaFound> {
    const [row] = await this.database.admin<SagaFound>(
      'select state, place, reason, results from sagas.sagas where id = $1',
      [id],
    );
    if (!row) throw new Error(`there is no saga ${id}`);
    return row;
  }

  /** The saga once it is in one of the states. */
  async until(id: string, ...states: readonly string[]): Promise<SagaFound> {
    for (;;) {
      const found = await this.find(id);
      if (states.includes(found.state)) return found;
      await sleep(10);
    }
  }

  /** Makes whatever is waited for due at once, and has it done. */
  async hurry(by: SagaRunner, id: string): Promise<void> {
    await this.database.admin(
      `update sagas.sagas set due_at = clock_timestamp(), lease_until = null
       where id = $1 and due_at is not null`,
      [id],
    );
    await by.runDue();
  }

  /** The process that had it has died, and 90 s have passed. */
  async endLease(id: string): Promise<void> {
    await this.database.admin(
      `update sagas.sagas set lease_until = clock_timestamp() - interval '1 second' where id = $1 and lease_until is not null`,
      [id],
    );
  }

  /** Steps and other events of a tenant's trail, in their order. */
  async trail(tenantId: string): Promise<string[]> {
    const rows = await this.database.admin<{ type: string; step: string | null }>(
      `select type, data->>'step' as step from events.log where tenant_id = $1 order by seq`,
      [tenantId],
    );
    return rows.map(({ type, step }) => (step === null ? type : `${type} ${step}`));
  }
}
