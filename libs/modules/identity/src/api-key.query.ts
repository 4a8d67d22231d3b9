import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type ApiKeyView, showApiKey } from './api-key-view';
import type { ApiKeyRow } from './api-keys.sql';

/** One key of the tenant, ended or not. */
export class ApiKeyById extends TenantQuery<{ readonly id: string }, ApiKeyView> {
  readonly scope = 'keys:read';
}

const FIND = statement<ApiKeyRow>(
  'identity.find_api_key',
  `select id, version, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, rotated_at,
     previous_ends_at, reason
   from identity.api_keys
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(ApiKeyById)
export class ApiKeyByIdHandler implements IQueryHandler<ApiKeyById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: ApiKeyById): Promise<ApiKeyView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    return showApiKey(row);
  }
}
