import { statement } from '@holdfast/database';
import { subjectStore } from '@holdfast/tenancy';

// Exports that were made are due to expire now; one that is being written is waited for.
const EXPIRE = statement(
  'tenants.expire_exports',
  `update tenants.tasks t
   set due_at = clock_timestamp()
   from tenants.exports e
   where t.tenant_id = $1 and t.kind = 'export' and t.due_at > clock_timestamp()
     and e.tenant_id = $1 and e.id = t.id and e.status = 'completed' and e.requested_at <= $2`,
);

// Nobody comes back for what one that has failed had written.
const DELETE_FAILED = statement(
  'tenants.delete_chunks_of_failed_exports',
  `delete from tenants.export_chunks
   where tenant_id = $1 and (export_id, file, part) in (
     select c.export_id, c.file, c.part
     from tenants.exports e
     join tenants.export_chunks c on c.tenant_id = $1 and c.export_id = e.id
     where e.tenant_id = $1 and e.status = 'failed'
     limit $2)`,
);

const CHUNKS_AT_A_TIME = 100;

const COUNT_LEFT = statement<{ readonly count: bigint }>(
  'tenants.count_exports_left',
  `select count(*) as count
   from tenants.exports
   where tenant_id = $1 and status not in ('expired', 'failed') and requested_at <= $2`,
);

// An export holds every row of the tenant, and nobody looks whose: after an erasure another one is made.
subjectStore({
  name: 'tenants.exports',
  countRows: () => Promise.resolve(0),
  sweep: async (tx, _subjects, orderedAt) => {
    await tx.execute(EXPIRE, [tx.tenantId, orderedAt]);
    if ((await tx.execute(DELETE_FAILED, [tx.tenantId, CHUNKS_AT_A_TIME])) === CHUNKS_AT_A_TIME) return false;
    return (await tx.row(COUNT_LEFT, [tx.tenantId, orderedAt]))?.count === 0n;
  },
});
