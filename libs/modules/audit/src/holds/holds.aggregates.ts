import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { legalHoldLifted, legalHoldPlaced } from './holds.events';

interface LegalHold {
  readonly subjectId: string | null;
  readonly isLifted: boolean;
}

aggregate<LegalHold>('audit.legal_hold', {
  rows: statement<AggregateRow<LegalHold>>(
    'audit.list_folded_legal_holds',
    `select id, case when lifted_at is null then 1 else 2 end::bigint as "streamVersion", subject as "subjectId",
       lifted_at is not null as "isLifted"
     from audit.legal_holds
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(legalHoldPlaced, ({ subjectId }) => ({ subjectId, isLifted: false })),
    on(legalHoldLifted, () => ({ isLifted: true })),
  ],
});
