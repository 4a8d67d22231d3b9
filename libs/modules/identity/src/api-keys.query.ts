import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type ApiKeyView, showApiKey } from './api-key-view';
import type { ApiKeyRow } from './api-keys.sql';

/** What GET /v1/api-keys takes. */
export const apiKeysInput = z.strictObject({ ...pageInput });

/** The tenant's keys, newest first, ended ones included. */
export class ApiKeys extends TenantQuery<z.output<typeof apiKeysInput>, Page<ApiKeyView>> {
  readonly scope = 'keys:read';
}

const LIST = statement<ApiKeyRow>(
  'identity.list_api_keys',
  `select k.id, k.version, k.name, k.prefix, k.scopes, k.created_by, k.created_at, k.expires_at, k.revoked_at,
     k.rotated_at, k.previous_ends_at, k.reason, u.last_used_at, u.last_address
   from identity.api_keys k
   left join identity.credential_uses u on u.tenant_id = k.tenant_id and u.credential = 'api_key:' || k.id
   where k.tenant_id = $1 and ($2::uuid is null or k.id < $2)
   order by k.id desc
   limit $3`,
);

const cursors = new Cursors('identity.api_keys', z.tuple([z.guid()]));

@QueryHandler(ApiKeys)
export class ApiKeysHandler implements IQueryHandler<ApiKeys> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: ApiKeys): Promise<Page<ApiKeyView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showApiKey, (row) => cursors.encode(caller, [row.id]));
  }
}
