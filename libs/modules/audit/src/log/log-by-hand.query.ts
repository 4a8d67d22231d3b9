import type { Caller } from '@holdfast/kernel';
import { Readings, Tallies } from '@holdfast/cqrs';
import { type Database, statement, SystemTx } from '@holdfast/database';
import type { TenantDatabase } from '@holdfast/tenancy';
import { getCheckpoint } from './checkpoint.query';
import { findProof } from './event-proof.query';
import { type CheckpointView, type ProofView, showCheckpoint, showProof } from './log-views';
import { proofFile } from './proof-file';

/** What has come of the offers to a witness. */
export interface WitnessStatus {
  readonly name: string;
  /** Of the largest checkpoint of the present epoch that it has cosigned; null: none. */
  readonly size: string | null;
  /** Of the last offer, as `cosigned` or `timeout`; null before the first. */
  readonly outcome: string | null;
}

/** How far the log of a tenant is. Sizes are leaves, the first of which is the epoch's own. */
export interface LogStatus {
  /** Null before the first event is sealed. */
  readonly epoch: number | null;
  readonly size: string;
  /** Under the newest checkpoint. */
  readonly signedSize: string;
  /** Age of that checkpoint. */
  readonly signedSecondsAgo: number | null;
  readonly witnesses: readonly WitnessStatus[];
  /** Findings of the daily verification, of which a thousand are kept. */
  readonly breaks: number;
}

/** Who seals: null where nobody does. */
export interface SealerStatus {
  readonly holder: string;
  readonly until: string;
}

const FIND = statement<Omit<LogStatus, 'witnesses'> & { readonly witnesses: readonly WitnessStatus[] }>(
  'audit.find_log_status',
  `select t.epoch, coalesce(t.size, 0)::text as size, coalesce(c.size, 0)::text as "signedSize",
     floor(extract(epoch from clock_timestamp() - c.signed_at))::int as "signedSecondsAgo",
     (select count(*)::int from (select from audit.breaks b where b.tenant_id = $1 limit 1000) b) as breaks,
     (select coalesce(jsonb_agg(jsonb_build_object('name', split_part(o.witness, '+', 1), 'size', s.size::text, 'outcome', o.outcome)
        order by o.witness), '[]')
      from (select p.witness, p.outcome from audit.offers p where p.tenant_id = $1 order by p.witness limit 200) o
      left join audit.cosignatures s on s.tenant_id = $1 and s.epoch = t.epoch and s.witness = o.witness) as witnesses
   from (select) one
   left join audit.trees t on t.tenant_id = $1
   left join lateral (
     select k.size, k.signed_at
     from audit.checkpoints k
     where k.tenant_id = $1 and k.epoch = t.epoch
     order by k.hour desc
     limit 1) c on true`,
);

const FIND_SEALER = statement<SealerStatus>(
  'audit.find_sealer',
  `select holder, to_char(expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as until
   from audit.sealer
   where name = 'sealer' and holder is not null and expires_at > clock_timestamp()
   limit 1`,
);

/** How far the log of the caller's tenant is, for whoever sits at the command line. */
export async function findLogStatus(tenants: TenantDatabase, caller: Caller): Promise<LogStatus> {
  const [status] = await tenants.rows(caller, FIND, [caller.tenantId]);
  if (!status) throw new Error('the status of a log has no row');
  return status;
}

/** Who holds the lease of the sealer, as the operator's role sees it. */
export async function findSealer(ops: Database): Promise<SealerStatus | null> {
  const [sealer] = await ops.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.last(FIND_SEALER),
  );
  return sealer ?? null;
}

/** The proof of an event, in parts and as the file that stands by itself. */
export interface ProofByHand extends ProofView {
  readonly file: string;
}

/**
 * The proof of an event for whoever sits at the command line, in a role that reads; the reading is recorded. Throws NotFound,
 * NotSealed, EventAltered.
 */
export async function proveEventByHand(
  tenants: TenantDatabase,
  caller: Caller,
  id: string,
): Promise<ProofByHand> {
  const proof = await findProof(tenants, caller, { id });
  await new Readings(new Tallies(tenants)).record(caller, { what: 'proof', of: [id] });
  return { ...showProof(proof), file: proofFile(proof) };
}

/** The newest checkpoint of the tenant's log, for the same; the reading is recorded. Throws NotSealed. */
export async function checkpointByHand(tenants: TenantDatabase, caller: Caller): Promise<CheckpointView> {
  const checkpoint = await tenants.reading(caller, (tx) => getCheckpoint(tx, {}));
  await new Readings(new Tallies(tenants)).record(caller, { what: 'checkpoint' });
  return showCheckpoint(checkpoint);
}
