import { statement } from '@holdfast/database';
import { subjectStore } from '@holdfast/tenancy';

const COUNT = statement<{ readonly count: bigint }>(
  'audit.count_requests_of_subjects',
  `select count(*) as count
   from audit.requests
   where tenant_id = $1 and actor in (select 'member:' || s.id from unnest($2::uuid[]) s (id))`,
);

const ERASE = statement(
  'audit.erase_requests_of_subjects',
  `delete from audit.requests
   where tenant_id = $1 and id in (
     select r.id
     from audit.requests r
     where r.tenant_id = $1 and r.actor in (select 'member:' || s.id from unnest($2::uuid[]) s (id))
     limit $3)`,
);

const ROWS_AT_A_TIME = 1_000;

// From where a person called. Keys are no persons: whoever used one is not known by it.
subjectStore({
  name: 'audit.requests',
  countRows: async (tx, subjects) => Number((await tx.row(COUNT, [tx.tenantId, subjects]))?.count ?? 0n),
  sweep: async (tx, subjects) =>
    (await tx.execute(ERASE, [tx.tenantId, subjects, ROWS_AT_A_TIME])) < ROWS_AT_A_TIME,
});
