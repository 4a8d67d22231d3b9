import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import {
  auditExportCompleted,
  auditExportExpired,
  auditExportFailed,
  auditExportRequested,
} from './audit-exports.events';

interface AuditExportState {
  readonly format: 'ndjson' | 'csv' | 'bundle';
  readonly status: 'requested' | 'completed' | 'failed' | 'expired';
  readonly sha256: string | null;
}

aggregate<AuditExportState>('audit.export', {
  rows: statement<AggregateRow<AuditExportState>>(
    'audit.list_folded_exports',
    `select id, case status when 'queued' then 1 when 'running' then 1 when 'expired' then 3 else 2 end::bigint as "streamVersion",
       case when status in ('queued', 'running') then 'requested' else status end as status, format, sha256
     from audit.exports
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(auditExportRequested, ({ format }) => ({ format, status: 'requested', sha256: null })),
    on(auditExportCompleted, ({ sha256 }) => ({ status: 'completed', sha256 })),
    on(auditExportFailed, () => ({ status: 'failed' })),
    on(auditExportExpired, () => ({ status: 'expired' })),
  ],
});
