import type { Caller } from '@holdfast/kernel';
import { Operators } from '@holdfast/identity';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { TenantDirectory } from './tenant-directory.query';
import { WrongState } from './tenants.errors';

/** The operator of a request at work in a tenant that exists. */
@Injectable()
export class OperatorCallers {
  constructor(
    private readonly directory: TenantDirectory,
    private readonly operators: Operators,
  ) {}

  /** Throws NotFound, and WrongState for a tenant that is being erased or gone: nothing can be done in it. */
  async operatorIn(tenantId: string, request: FastifyRequest): Promise<Caller> {
    const { state } = await this.directory.get(tenantId);
    if (state === 'erasing' || state === 'erased') throw new WrongState(state);
    return this.operators.callerIn(tenantId, request);
  }
}
