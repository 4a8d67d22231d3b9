import { DomainError, newId } from '@holdfast/kernel';
import { type Saga, saga, SagaRunner } from '@holdfast/sagas';
import { callerOf, Grants } from '@holdfast/tenancy';
import { z } from 'zod';
import type { TestApi } from './test-api';

class Refused extends DomainError {
  readonly code = 'test.refused';
  readonly kind = 'refused';
  constructor() {
    super('The second step has refused.');
  }
}

/** Waits for an instant that does not come. */
export const waitingSaga = saga({ name: 'test.waiting', input: z.strictObject({}) })
  .waitUntil('long', () => new Date(Date.now() + 86_400_000))
  .build();

/** Whether compensations of `brokenSaga` fail. */
export const compensations = { areBroken: true };

/** Is refused at its second step, and cannot take back its first while compensations are broken. */
export const brokenSaga = saga({ name: 'test.broken', input: z.strictObject({ secret: z.string() }) })
  .compensatable('hold', {
    run: () => Promise.resolve({ held: 'secret-result' }),
    compensate: () =>
      compensations.areBroken ? Promise.reject(new TypeError('secret-text')) : Promise.resolve(),
  })
  .pivot('decide', { run: () => Promise.reject(new Refused()) })
  .build();

/** Its pivot asks somebody who will not answer any more. */
export const unansweredSaga = saga({ name: 'test.unanswered', input: z.strictObject({}) })
  .pivot('pay', { call: () => Promise.reject(new TypeError('404')), attemptsMax: 1 })
  .retriable('post', { run: () => Promise.resolve() })
  .build();

/** Sagas of an API's tenants, and a worker that goes on with them when it is told to. */
export class TestSagas {
  private readonly grants: Grants;
  private readonly beginner: SagaRunner;
  private readonly worker: SagaRunner;

  constructor(private readonly api: TestApi) {
    this.grants = new Grants(api.database.as('holdfast_auth', 2));
    const shared = { tenants: api.database.tenants(4), grants: this.grants, report: () => {} };
    // Goes on with none of those that it begins: each test says when that is.
    this.beginner = new SagaRunner({ ...shared, lanes: 0 });
    this.worker = new SagaRunner({ ...shared, relay: api.database.as('holdfast_relay', 2) });
  }

  async close(): Promise<void> {
    await this.worker.stop();
    this.grants.close();
  }

  async begin<Input>(tenantId: string, of: Saga<Input>, input: Input): Promise<string> {
    const caller = callerOf(await this.grants.forSystem('test', tenantId), { requestId: newId() });
    return this.api.database.tenants(1).transaction(caller, (tx) => this.beginner.begin(tx, of, input));
  }

  /** Goes on with what is due, and does not wait between attempts. */
  async goOn(id: string): Promise<void> {
    await this.api.database.admin(
      'update sagas.sagas set due_at = clock_timestamp(), lease_until = null where id = $1 and due_at is not null',
      [id],
    );
    await this.worker.runDue();
  }

  /** Has the worker look by itself from here on, and measure what is open. */
  start(): void {
    this.worker.start();
  }
}
