import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** What kinds of task there are. */
export type TaskKind =
  'export' | 'erasure' | 'audit-export' | 'audit-verification' | 'audit-retention' | 'subject-erasure';

/** A task that waits for somebody to work on it. */
export interface DueTask {
  readonly tenantId: string;
  readonly kind: TaskKind;
  readonly id: string;
}

/** Which task, and in whose hands. */
export interface HeldTask extends DueTask {
  readonly holder: string;
}

const LIST_DUE = statement<DueTask>(
  'tenants.list_due_tasks',
  `select tenant_id as "tenantId", kind, id
   from tenants.tasks
   where due_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())
   order by due_at
   limit $1`,
);

const INSERT = statement(
  'tenants.insert_task',
  `insert into tenants.tasks (tenant_id, kind, id, due_at)
   values ($1, $2, $3, coalesce($4, clock_timestamp()))
   on conflict (tenant_id, kind, id) do nothing`,
);

const CLAIM = statement(
  'tenants.claim_task',
  `update tenants.tasks
   set holder = $4, lease_until = clock_timestamp() + make_interval(secs => $5)
   where tenant_id = $1 and kind = $2 and id = $3
     and due_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())`,
);

// The row lock that it takes holds up whoever claims the task until this transaction has ended.
const RENEW = statement<{ progress: unknown }>(
  'tenants.renew_task',
  `update tenants.tasks
   set lease_until = clock_timestamp() + make_interval(secs => $5)
   where tenant_id = $1 and kind = $2 and id = $3 and holder = $4
   returning progress`,
);

const ADVANCE = statement(
  'tenants.advance_task',
  `update tenants.tasks
   set progress = $4, attempts = 0, last_error = null
   where tenant_id = $1 and kind = $2 and id = $3`,
);

const POSTPONE = statement(
  'tenants.postpone_task',
  `update tenants.tasks
   set due_at = clock_timestamp() + make_interval(secs => $4), holder = null, lease_until = null
   where tenant_id = $1 and kind = $2 and id = $3`,
);

const NOTE_FAILURE = statement<{ attempts: number }>(
  'tenants.note_task_failure',
  `update tenants.tasks
   set attempts = attempts + 1, last_error = $5, holder = null, lease_until = null,
     due_at = clock_timestamp() + make_interval(secs => $6::float8 * least(power(2, least(attempts, 10)), 60))
   where tenant_id = $1 and kind = $2 and id = $3 and holder = $4
   returning attempts`,
);

const DELETE = statement(
  'tenants.delete_task',
  'delete from tenants.tasks where tenant_id = $1 and kind = $2 and id = $3',
);

/** Tasks of all tenants that nobody works on, those that have waited longest first. */
export function listDueTasks(tx: SystemTx, limit: number): Promise<DueTask[]> {
  return tx.rows(LIST_DUE, [limit]);
}

/** Leaves a task for the workers, unless it is there; due at once unless an instant is given. */
export async function insertTask(tx: TenantTx, kind: TaskKind, id: string, dueAt?: Date): Promise<void> {
  await tx.execute(INSERT, [tx.tenantId, kind, id, dueAt ?? null]);
}

/** Takes the task; false when somebody else was first. */
export async function claimTask(
  tx: TenantTx,
  { kind, id, holder }: HeldTask,
  leaseSeconds: number,
): Promise<boolean> {
  return (await tx.execute(CLAIM, [tx.tenantId, kind, id, holder, leaseSeconds])) === 1;
}

/** Renews the lease and answers how far the task has got; undefined when it has gone to another holder or is done. */
export function renewTask(
  tx: TenantTx,
  { kind, id, holder }: HeldTask,
  leaseSeconds: number,
): Promise<{ progress: unknown } | undefined> {
  return tx.row(RENEW, [tx.tenantId, kind, id, holder, leaseSeconds]);
}

/** Writes how far a task has got. */
export async function advanceTask(tx: TenantTx, { kind, id }: DueTask, progress: unknown): Promise<void> {
  await tx.execute(ADVANCE, [tx.tenantId, kind, id, JSON.stringify(progress)]);
}

/** Gives the task back, to be gone on with after a while. */
export async function postponeTask(tx: TenantTx, { kind, id }: DueTask, seconds: number): Promise<void> {
  await tx.execute(POSTPONE, [tx.tenantId, kind, id, seconds]);
}

/** Notes a failure and gives the task back for a random time, at most a second doubled with each failure up to a minute. */
export async function noteTaskFailure(
  tx: TenantTx,
  { kind, id, holder }: HeldTask,
  error: string,
  share: number,
): Promise<number> {
  return (await tx.row(NOTE_FAILURE, [tx.tenantId, kind, id, holder, error, share]))?.attempts ?? 0;
}

/** Ends a task. */
export async function deleteTask(tx: TenantTx, kind: TaskKind, id: string): Promise<void> {
  await tx.execute(DELETE, [tx.tenantId, kind, id]);
}

const DELETE_OTHERS = statement(
  'tenants.delete_other_tasks',
  'delete from tenants.tasks where tenant_id = $1 and kind <> $2',
);

/** Ends every task of the tenant but those of one kind. */
export async function deleteOtherTasks(tx: TenantTx, kind: TaskKind): Promise<void> {
  await tx.execute(DELETE_OTHERS, [tx.tenantId, kind]);
}
