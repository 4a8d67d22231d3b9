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
  `select k.id, k.version, k.name, k.prefix, k.scopes, k.created_by, k.created_at, k.expires_at, k.revoked_at,
     k.rotated_at, k.previous_ends_at, k.reason, u.last_used_at, u.last_address
   from identity.api_keys k
   left join identity.credential_uses u on u.tenant_id = k.tenant_id and u.credential = 'api_key:' || k.id
   where k.tenant_id = $1 and k.id = $2`,
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
