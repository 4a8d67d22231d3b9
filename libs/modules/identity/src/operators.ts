import { createHash, timingSafeEqual } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { originOf } from '@holdfast/http';
import { counter } from '@holdfast/observability';
import { callerOf, Grants } from '@holdfast/tenancy';
import type { FastifyRequest } from 'fastify';
import { Unauthenticated } from './identity.errors';

/** An operator's name, and the SHA-256 of their key in hexadecimal. A name may have two keys while one replaces the other. */
export interface OperatorKey {
  readonly name: string;
  readonly hash: string;
}

const requests = counter({
  name: 'holdfast_operator_requests_total',
  help: 'Requests with an operator’s key, by operator.',
  labels: ['operator'],
});

/** Those who run the system. Each has a key and a name of their own; without any key the operator's routes refuse everybody. */
export class Operators {
  constructor(
    private readonly grants: Grants,
    private readonly keys: readonly OperatorKey[],
  ) {}

  /** The operator whose key this is, as `operator:<name>`. */
  recognise(credential: string): string | undefined {
    const given = createHash('sha256').update(credential).digest();
    const found = this.keys.find(({ hash }) => timingSafeEqual(given, Buffer.from(hash, 'hex')));
    if (!found) return undefined;
    requests.inc({ operator: found.name });
    return `operator:${found.name}`;
  }

  /**
   * The operator of a request at work in one tenant: `system:operator`, with who it is as `act`; or in the name of the part of the system
   * that alone may do it.
   */
  async callerIn(tenantId: string, request: FastifyRequest, consumer = 'operator'): Promise<Caller> {
    if (request.operator === undefined) throw new Unauthenticated();
    const grant = await this.grants.forSystem(consumer, tenantId, '', request.operator);
    // What the request's log line says; an operator's request is about one tenant.
    return (request.caller = callerOf(grant, { ...originOf(request), deadline: request.deadline }));
  }
}

/** Whether it is an operator who calls, by a grant of their own. */
export function isOperator({ actor }: Caller): boolean {
  return actor === 'system:operator';
}
