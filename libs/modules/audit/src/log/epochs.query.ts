import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { EpochView } from './log-views';

/** What GET /v1/audit/log/epochs takes. */
export const epochsInput = z.strictObject({ ...pageInput });

/** The epochs of the tenant's log, newest first. */
export class LogEpochs extends TenantQuery<z.output<typeof epochsInput>, Page<EpochView>> {
  readonly scope = 'audit:read';
}

interface EpochRow {
  readonly epoch: number;
  readonly size: bigint;
  readonly begun_at: Date;
  readonly pruned_to: bigint;
  readonly entry: string;
}

// The size is what is signed; leaves behind it are on their way.
const LIST = statement<EpochRow>(
  'audit.list_epochs',
  `select e.epoch, e.begun_at, e.pruned_to, e.entry, coalesce((
     select c.size from audit.checkpoints c
     where c.tenant_id = $1 and c.epoch = e.epoch
     order by c.hour desc
     limit 1
   ), 0) as size
   from audit.epochs e
   where e.tenant_id = $1 and ($2::int is null or e.epoch < $2)
   order by e.epoch desc
   limit $3`,
);

const cursors = new Cursors('audit.epochs', z.tuple([z.string().regex(/^\d{1,9}$/)]));

@QueryHandler(LogEpochs)
export class LogEpochsHandler implements IQueryHandler<LogEpochs> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: LogEpochs): Promise<Page<EpochView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showEpoch, (row) => cursors.encode(caller, [String(row.epoch)]));
  }
}

function showEpoch({ epoch, size, begun_at: begunAt, pruned_to: prunedTo, entry }: EpochRow): EpochView {
  return {
    epoch: String(epoch),
    size: String(size),
    begunAt: begunAt.toISOString(),
    prunedTo: String(prunedTo),
    entry,
  };
}
