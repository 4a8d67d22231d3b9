import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { NotSealed } from './log.errors';
import { epochNumber, type OfEpoch } from './log-epoch';

/** What makes a choice among the checkpoints of a log. */
export interface CheckpointChoice extends OfEpoch {
  /** The largest that a witness has cosigned, in place of the newest. */
  readonly witnessed?: boolean | undefined;
}

/** A signed checkpoint of the tenant's log, with the cosignatures that there are for its size. Throws NotSealed, NotFound. */
export class LogCheckpoint extends TenantQuery<CheckpointChoice, SignedCheckpoint> {
  readonly scope = 'audit:read';
}

/** A signed checkpoint: what is under it may be shown. */
export interface SignedCheckpoint {
  readonly epoch: number;
  readonly size: number;
  /** The signed note, cosignatures behind the log's own. */
  readonly note: string;
}

interface CheckpointRow {
  readonly epoch: number;
  readonly size: bigint;
  readonly note: string;
}

// A cosignature is over the text alone, so that of another process's note of the same size fits this one. The rows of one
// statement are of one snapshot: the note has what was there with it.
const FIND_NEWEST = statement<CheckpointRow>(
  'audit.find_newest_checkpoint',
  `select c.epoch, c.size, c.note || coalesce((
     select string_agg(s.signatures, '' order by s.witness)
     from audit.cosignatures s
     where s.tenant_id = $1 and s.epoch = c.epoch and s.size = c.size
   ), '') as note
   from audit.checkpoints c
   where c.tenant_id = $1 and ($2::int is null or c.epoch = $2)
   order by c.epoch desc, c.hour desc
   limit 1`,
);

const FIND_WITNESSED = statement<CheckpointRow>(
  'audit.find_witnessed_checkpoint',
  `select w.epoch, w.size, w.note || (
     select string_agg(s.signatures, '' order by s.witness)
     from audit.cosignatures s
     where s.tenant_id = $1 and s.epoch = w.epoch and s.size = w.size
   ) as note
   from audit.cosignatures w
   where w.tenant_id = $1 and ($2::int is null or w.epoch = $2)
   order by w.epoch desc, w.size desc
   limit 1`,
);

const FIND_EPOCH = statement<{ readonly epoch: number }>(
  'audit.find_epoch',
  'select epoch from audit.epochs where tenant_id = $1 and epoch = $2',
);

/** The checkpoint in a transaction of the tenant. Throws NotSealed, and NotFound for an epoch that the log does not have. */
export async function getCheckpoint(tx: TenantTx, choice: CheckpointChoice): Promise<SignedCheckpoint> {
  const epoch = epochNumber(choice);
  const row = await tx.row(choice.witnessed ? FIND_WITNESSED : FIND_NEWEST, [tx.tenantId, epoch]);
  if (row) return { ...row, size: Number(row.size) };
  if (epoch !== null && !(await tx.row(FIND_EPOCH, [tx.tenantId, epoch]))) throw new NotFound();
  throw new NotSealed();
}

@QueryHandler(LogCheckpoint)
export class LogCheckpointHandler implements IQueryHandler<LogCheckpoint> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input }: LogCheckpoint): Promise<SignedCheckpoint> {
    return this.tenants.reading(caller, (tx) => getCheckpoint(tx, input));
  }
}
