import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type ExportRow, type ExportView, showExport } from './export-view';

/** What GET /v1/tenant/exports takes. */
export const exportsInput = z.strictObject({ ...pageInput });

/** The tenant's exports, newest first. */
export class Exports extends TenantQuery<z.output<typeof exportsInput>, Page<ExportView>> {
  readonly scope = 'exports:read';
}

/** One export of the tenant. */
export class ExportById extends TenantQuery<{ readonly id: string }, ExportView> {
  readonly scope = 'exports:read';
}

const LIST = statement<ExportRow>(
  'tenants.list_exports',
  `select id, status, rows_done, rows_total, byte_count, requested_by, requested_at, completed_at, expires_at
   from tenants.exports
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const FIND = statement<ExportRow>(
  'tenants.find_export',
  `select id, status, rows_done, rows_total, byte_count, requested_by, requested_at, completed_at, expires_at
   from tenants.exports
   where tenant_id = $1 and id = $2`,
);

const cursors = new Cursors('tenants.exports', z.tuple([z.guid()]));

@QueryHandler(Exports)
export class ExportsHandler implements IQueryHandler<Exports> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: Exports): Promise<Page<ExportView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showExport, (row) => cursors.encode(caller, [row.id]));
  }
}

@QueryHandler(ExportById)
export class ExportByIdHandler implements IQueryHandler<ExportById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: ExportById): Promise<ExportView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    return showExport(row);
  }
}
