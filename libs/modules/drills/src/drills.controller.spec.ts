import { Policy } from '@holdfast/resilience';
import type { FastifyRequest } from 'fastify';
import { DrillsController } from './drills.controller';
import { DrillNotConfirmed } from './drills.errors';

describe('A drill in production', () => {
  it('is begun by whoever names the policy twice', () => {
    const policy = new Policy('witnesses');
    const controller = new DrillsController({ isProduction: true });
    const request = { operator: 'operator:anna', log: { warn: () => {} } } as unknown as FastifyRequest;
    const idempotency = { key: 'key', replayed: false };
    const drill = { policy: 'witnesses', does: 'open', seconds: 1, delayMs: 1 } as const;
    for (const confirm of [undefined, 'yes', 'oidc'])
      expect(() => controller.begin(request, idempotency, { ...drill, confirm })).toThrow(DrillNotConfirmed);
    expect(policy.isOpen).toBe(false);
    controller.begin(request, idempotency, { ...drill, confirm: 'witnesses' });
    expect(policy.isOpen).toBe(true);
  });
});
