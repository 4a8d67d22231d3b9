import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type WriteKeyRow, WriteKeySigning, type WriteKeyView } from './write-key';

/** What GET /v1/telemetry/write-keys takes. */
export const writeKeysInput = z.strictObject({ ...pageInput });

/** The tenant's write keys, newest first, revoked ones included. */
export class WriteKeys extends TenantQuery<z.output<typeof writeKeysInput>, Page<WriteKeyView>> {
  readonly scope = 'telemetry:read';
}

const LIST = statement<WriteKeyRow>(
  'telemetry.list_write_keys',
  `select id, name, created_by, created_at, revoked_at, version
   from telemetry.write_keys
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const cursors = new Cursors('telemetry.write_keys', z.tuple([z.guid()]));

@QueryHandler(WriteKeys)
export class WriteKeysHandler implements IQueryHandler<WriteKeys> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly signing: WriteKeySigning,
  ) {}

  async execute({ caller, input: { limit, after } }: WriteKeys): Promise<Page<WriteKeyView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(
      rows,
      limit,
      (row) => this.signing.show(caller.tenantId, row),
      (row) => cursors.encode(caller, [row.id]),
    );
  }
}
