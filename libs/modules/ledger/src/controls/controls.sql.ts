import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { BookedMark, FullProgress } from './verify-ledger';

/** A tenant in whose ledger something may have happened since it was verified, or whose turn it is for everything. */
export interface TenantToVerify {
  readonly tenantId: string;
  /** The tick of its newest event. */
  readonly tick: bigint;
}

const LIST = statement<TenantToVerify>(
  'ledger.list_tenants_to_verify',
  `select h.tenant_id as "tenantId", h.tick
   from events.heads h
   left join ledger.controls c on c.tenant_id = h.tenant_id
   where h.tenant_id > $1
     and (c.tenant_id is null or (
       (h.tick > c.tick or c.full_due_at <= clock_timestamp()) and (c.lease_until is null or c.lease_until < clock_timestamp())))
   order by h.tenant_id
   limit $2`,
);

/** Tenants behind `after` whose ledger is to be verified and is in nobody's hands. */
export function listTenantsToVerify(tx: SystemTx, after: string, limit: number): Promise<TenantToVerify[]> {
  return tx.rows(LIST, [after, limit]);
}

/** How far the ledger of a tenant was verified. */
export interface ControlState {
  readonly mark: BookedMark;
  readonly full: FullProgress | null;
  readonly isFullDue: boolean;
}
interface ControlRow {
  readonly through: string;
  readonly id: string;
  readonly full: FullProgress | null;
  readonly isFullDue: boolean;
}

const CLAIM = statement<ControlRow>(
  'ledger.claim_control',
  `insert into ledger.controls as c (tenant_id, holder, lease_until)
   values ($1, $2, clock_timestamp() + make_interval(secs => $3))
   on conflict (tenant_id) do update set holder = excluded.holder, lease_until = excluded.lease_until
     where c.lease_until is null or c.lease_until < clock_timestamp()
   returning c.verified_through::text as through, c.verified_id as id, c.full_progress as full,
     c.full_due_at <= clock_timestamp() as "isFullDue"`,
);
const FIND = statement<ControlRow>(
  'ledger.find_control',
  `select c.verified_through::text as through, c.verified_id as id, c.full_progress as full,
     c.full_due_at <= clock_timestamp() as "isFullDue"
   from ledger.controls c
   where c.tenant_id = $1`,
);

const stateOf = ({ through, id, full, isFullDue }: ControlRow): ControlState => ({
  mark: { through, id },
  full,
  isFullDue,
});

/** Takes the tenant's ledger into these hands; undefined when it is in others. */
export async function claimControl(
  tx: TenantTx,
  holder: string,
  seconds: number,
): Promise<ControlState | undefined> {
  const row = await tx.row(CLAIM, [tx.tenantId, holder, seconds]);
  return row && stateOf(row);
}

/** How far the tenant's ledger was verified; undefined when it never was. */
export async function findControl(tx: TenantTx): Promise<ControlState | undefined> {
  const row = await tx.row(FIND, [tx.tenantId]);
  return row && stateOf(row);
}

// The row lock that it takes holds up whoever claims the ledger until this transaction has ended.
const RENEW = statement(
  'ledger.renew_control',
  `update ledger.controls
   set lease_until = clock_timestamp() + make_interval(secs => $3)
   where tenant_id = $1 and holder = $2`,
);

/** Renews the lease; false when it has gone to another holder. */
export async function renewControl(tx: TenantTx, holder: string, seconds: number): Promise<boolean> {
  return (await tx.execute(RENEW, [tx.tenantId, holder, seconds])) === 1;
}

const RELEASE = statement(
  'ledger.release_control',
  'update ledger.controls set holder = null, lease_until = null where tenant_id = $1 and holder = $2',
);

/** Gives the ledger out of these hands. */
export async function releaseControl(tx: TenantTx, holder: string): Promise<void> {
  await tx.execute(RELEASE, [tx.tenantId, holder]);
}

const MARK = statement(
  'ledger.mark_booked_verified',
  `update ledger.controls
   set verified_through = $2::timestamptz, verified_id = $3
   where tenant_id = $1 and (verified_through, verified_id) < ($2::timestamptz, $3::uuid)`,
);

/** Stores how far what was booked is verified; a horizon may have gone back, and then the mark stays. */
export async function markBookedVerified(tx: TenantTx, { through, id }: BookedMark): Promise<void> {
  await tx.execute(MARK, [tx.tenantId, through, id]);
}

// What was booked at or after the horizon was not looked at; then the tick stays, and the next look finds the tenant again.
const MARK_TICK = statement(
  'ledger.mark_tick_verified',
  `update ledger.controls set tick = $2
   where tenant_id = $1 and not exists (
     select from ledger.transfers t
     where t.tenant_id = $1 and t.refusal is null and t.booked_at >= $3::timestamptz
     order by t.booked_at
     limit 1)`,
);

/** Stores that everything up to the tick is verified, if nothing was booked since the horizon. */
export async function markTickVerified(tx: TenantTx, tick: bigint, horizon: string): Promise<void> {
  await tx.execute(MARK_TICK, [tx.tenantId, tick, horizon]);
}

const MARK_FULL = statement(
  'ledger.mark_full_progress',
  `update ledger.controls
   set full_progress = $2, full_due_at = case when $2::jsonb is null then clock_timestamp() + make_interval(secs => $3)
     else full_due_at end
   where tenant_id = $1`,
);

/** Stores how far a run over everything has got; undefined: to its end, and the next is due after so long. */
export async function markFullProgress(
  tx: TenantTx,
  progress: FullProgress | undefined,
  againSeconds: number,
): Promise<void> {
  await tx.execute(MARK_FULL, [tx.tenantId, progress ? JSON.stringify(progress) : null, againSeconds]);
}

const FIND_HORIZON = statement<{ horizon: string }>(
  'ledger.find_horizon',
  `select (least(ledger.clock(), min(a.xact_start)) - make_interval(secs => $1))::text as horizon
   from pg_stat_activity a
   where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()`,
);

/**
 * The instant before which nothing more will be booked: whatever is under way began later, and is booked later still. Some
 * seconds less, for clocks that are set back; what is booked before it all the same, only a run over everything comes to.
 */
export async function findHorizon(tx: TenantTx, marginSeconds: number): Promise<string> {
  const row = await tx.row(FIND_HORIZON, [marginSeconds]);
  if (!row) throw new Error('the database has no clock');
  return row.horizon;
}
