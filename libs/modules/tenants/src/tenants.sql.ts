import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { TenantState } from './tenant-state';
import type { TenantRow } from './tenant-view';

type StoredRow = Omit<TenantRow, 'state' | 'plan'>;
type StateRow = Pick<TenantRow, 'state' | 'plan'>;

const INSERT = statement<StoredRow>(
  'tenants.insert_tenant',
  `insert into tenants.tenants (tenant_id, slug, name)
   values ($1, $2, $3)
   returning tenant_id, slug, name, version, settings, state_reason, created_at, erase_requested_at, erase_after,
     erase_postponed`,
);

const LOCK = statement<StoredRow>(
  'tenants.lock_tenant',
  `select tenant_id, slug, name, version, settings, state_reason, created_at, erase_requested_at, erase_after,
     erase_postponed
   from tenants.tenants
   where tenant_id = $1
   for no key update`,
);

const STATE = statement<StateRow>('tenants.get_state', 'select state, plan from auth.own_tenant()');

const SET = statement('tenants.set_tenant', 'select auth.set_tenant($1, $2)');

const UPDATE = statement(
  'tenants.update_tenant',
  `update tenants.tenants
   set name = $2, settings = $3, state_reason = $4, version = $5, erase_requested_at = $6, erase_after = $7,
     erase_postponed = null
   where tenant_id = $1`,
);

/** Stores the tenant that the transaction is for. */
export async function insertTenant(tx: TenantTx, slug: string, name: string): Promise<TenantRow> {
  const [row, state] = await Promise.all([tx.row(INSERT, [tx.tenantId, slug, name]), tx.row(STATE)]);
  if (!row || !state) throw new Error('the insert of a tenant returned nothing');
  return { ...row, ...state };
}

/**
 * The transaction's tenant, locked until the transaction ends. Its state is read by a statement of its own behind the
 * lock, and so is what the holder before has committed. Throws NotFound.
 */
export async function lockTenant(tx: TenantTx): Promise<TenantRow> {
  const [row, state] = await Promise.all([tx.row(LOCK, [tx.tenantId]), tx.row(STATE)]);
  if (!row || !state) throw new NotFound();
  return { ...row, ...state };
}

/** What a change leaves behind; the rest stays. */
export interface TenantChange {
  readonly name?: string;
  readonly settings?: unknown;
  readonly state?: TenantState;
  readonly reason?: string | null;
  readonly plan?: string;
  /** When an erasure was asked for and when it is due; null takes it back. */
  readonly erasure?: { readonly requestedAt: Date; readonly dueAt: Date } | null;
}

/** Writes a change of the tenant that `lockTenant` has locked, as its next version. */
export async function updateTenant(
  tx: TenantTx,
  locked: TenantRow,
  { name, settings, state, reason, plan, erasure }: TenantChange,
): Promise<TenantRow> {
  const changed: TenantRow = {
    ...locked,
    name: name ?? locked.name,
    settings: settings ?? locked.settings,
    state: state ?? locked.state,
    plan: plan ?? locked.plan,
    state_reason: reason === undefined ? locked.state_reason : reason,
    version: locked.version + 1n,
    erase_requested_at: erasure === undefined ? locked.erase_requested_at : (erasure?.requestedAt ?? null),
    erase_after: erasure === undefined ? locked.erase_after : (erasure?.dueAt ?? null),
    erase_postponed: null,
  };
  const { erase_requested_at: requestedAt, erase_after: dueAt } = changed;
  const values = [changed.name, changed.settings, changed.state_reason, changed.version, requestedAt, dueAt];
  await Promise.all([
    tx.execute(UPDATE, [tx.tenantId, ...values]),
    (state ?? plan) !== undefined && tx.execute(SET, [state ?? null, plan ?? null]),
  ]);
  return changed;
}

/** Sets the state alone: for the eraser, which leaves no version and no event behind. */
export async function setState(tx: TenantTx, state: TenantState): Promise<void> {
  await tx.execute(SET, [state, null]);
}
