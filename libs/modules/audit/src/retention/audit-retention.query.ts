import { TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { AuditRetentionView } from './retention-view';
import { findKeepDays } from './retention.sql';

/** How long the tenant's events are kept. */
export class AuditRetention extends TenantQuery<object, AuditRetentionView> {
  readonly scope = 'audit:read';
}

@QueryHandler(AuditRetention)
export class AuditRetentionHandler implements IQueryHandler<AuditRetention> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: AuditRetention): Promise<AuditRetentionView> {
    return { keepDays: await this.tenants.reading(caller, findKeepDays) };
  }
}
