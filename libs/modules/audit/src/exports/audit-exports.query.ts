import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type AuditExportRow, type AuditExportView, showAuditExport } from './audit-export-view';

/** What GET /v1/audit/exports takes. */
export const auditExportsInput = z.strictObject({ ...pageInput });

/** The tenant's exports of the trail, newest first. */
export class AuditExports extends TenantQuery<z.output<typeof auditExportsInput>, Page<AuditExportView>> {
  readonly scope = 'audit:read';
}

/** One of them. */
export class AuditExportById extends TenantQuery<{ readonly id: string }, AuditExportView> {
  readonly scope = 'audit:read';
}

const LIST = statement<AuditExportRow>(
  'audit.list_exports',
  `select id, format, status, rows_done, rows_total, byte_count, sha256, requested_by, requested_at, completed_at, expires_at
   from audit.exports
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const FIND = statement<AuditExportRow>(
  'audit.find_export',
  `select id, format, status, rows_done, rows_total, byte_count, sha256, requested_by, requested_at, completed_at, expires_at
   from audit.exports
   where tenant_id = $1 and id = $2`,
);

const cursors = new Cursors('audit.exports', z.tuple([z.guid()]));

@QueryHandler(AuditExports)
export class AuditExportsHandler implements IQueryHandler<AuditExports> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: AuditExports): Promise<Page<AuditExportView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showAuditExport, (row) => cursors.encode(caller, [row.id]));
  }
}

@QueryHandler(AuditExportById)
export class AuditExportByIdHandler implements IQueryHandler<AuditExportById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: AuditExportById): Promise<AuditExportView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    return showAuditExport(row);
  }
}
