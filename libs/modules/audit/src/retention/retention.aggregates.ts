import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { auditRetentionChanged } from './retention.events';

interface Retention {
  readonly keepDays: number | null;
}

aggregate<Retention>('audit.retention', {
  isTenantItself: true,
  rows: statement<AggregateRow<Retention>>(
    'audit.list_folded_retentions',
    `select tenant_id as id, version as "streamVersion", keep_days as "keepDays"
     from audit.retention
     where tenant_id = $1 and tenant_id > $2 and version > 0
     order by tenant_id
     limit $3`,
  ),
  on: (on) => [on(auditRetentionChanged, (changed) => changed)],
});
