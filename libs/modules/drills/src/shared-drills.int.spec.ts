import { SystemTx } from '@holdfast/database';
import { Policy } from '@holdfast/resilience';
import { eventually, TestDatabase } from '@holdfast/testing';
import type { FastifyRequest } from 'fastify';
import { DrillsController } from './drills.controller';
import { storeDrill } from './drills.sql';
import { DrillNotConfirmed } from './drills.errors';
import { SharedDrills } from './shared-drills';

describe('A drill', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  const sharedBy = (role: 'holdfast_ops' | 'holdfast_relay'): SharedDrills =>
    new SharedDrills({ system: database.as(role, 1), report: () => {} });

  it('is begun in production by whoever names the policy twice', async () => {
    const policy = new Policy('witnesses');
    const controller = new DrillsController({ isProduction: true, drills: sharedBy('holdfast_ops') });
    const request = { operator: 'operator:anna', log: { warn: () => {} } } as unknown as FastifyRequest;
    const idempotency = { key: 'key', replayed: false };
    const drill = { policy: 'witnesses', does: 'open', seconds: 60, delayMs: 1 } as const;
    for (const confirm of [undefined, 'yes', 'oidc'])
      await expect(controller.begin(request, idempotency, { ...drill, confirm })).rejects.toThrow(
        DrillNotConfirmed,
      );
    expect(policy.isOpen).toBe(false);
    await controller.begin(request, idempotency, { ...drill, confirm: 'witnesses' });
    expect(policy.isOpen).toBe(true);
  });

  it('that another process was asked for is done by a worker, for as long as is left of it', async () => {
    const [drilled, other] = [new Policy('kafka'), new Policy('oidc')];
    const worker = sharedBy('holdfast_relay');
    worker.start();
    const ask = (seconds: number): Promise<void> =>
      database.as('holdfast_ops', 1).transaction(
        (connection) => new SystemTx(connection),
        (tx) => storeDrill(tx, { policy: 'kafka', does: 'open', delayMs: 1, seconds }, 'operator:anna'),
      );
    await ask(300);
    await eventually(() => drilled.isOpen);
    // Whoever begins another ends the one before.
    await ask(1);
    await eventually(() => !drilled.isOpen);
    expect(other.isOpen).toBe(false);
    await worker.stop();
  });
});
