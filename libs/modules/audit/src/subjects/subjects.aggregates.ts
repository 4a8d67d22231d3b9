import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { subjectErased, subjectErasureRequested } from './subjects.events';

interface SubjectErasure {
  readonly related: readonly string[];
  readonly status: 'erasing' | 'erased';
}

aggregate<SubjectErasure>('audit.subject', {
  rows: statement<AggregateRow<SubjectErasure>>(
    'audit.list_folded_subject_erasures',
    `select subject as id, stream_version as "streamVersion", related, status
     from audit.subject_erasures
     where tenant_id = $1 and subject > $2
     order by subject
     limit $3`,
  ),
  on: (on) => [
    on(subjectErasureRequested, ({ relatedIds }) => ({ related: relatedIds, status: 'erasing' })),
    on(subjectErased, () => ({ status: 'erased' })),
  ],
});
