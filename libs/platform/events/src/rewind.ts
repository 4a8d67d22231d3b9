import type { SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { type ConsumerDeclaration, declarationOf, type TenantConsumer } from './consumer';
import { withDeadline } from './deadline';
import { takeBackParked, takeBackParkedOfStore } from './parked.sql';
import { rewindStoreCursor, type StoreCursor } from './store-cursors.sql';
import { findTickAtOrBefore, rewindTenantCursor, type TenantCursor } from './tenant-cursors.sql';

const RESET_TIMEOUT_MS = 8_000;

/**
 * Takes the group back to where operators have asked the tenant to go, in the transaction that has locked the cursor, and
 * undoes what it has done where it declares that. A group that is never replayed stays where it is, whoever asked.
 */
export async function rewindTenant(
  tx: TenantTx,
  consumer: TenantConsumer,
  { fromTick, rewindTo }: Pick<TenantCursor, 'fromTick' | 'rewindTo'>,
): Promise<void> {
  const { group, replay } = declarationOf(consumer);
  // The group's generation is caught up with all the same, or the cursor would count as outdated for ever.
  if (rewindTo === null) return rewindTenantCursor(tx, group, undefined);
  if (replay === 'reset') await withDeadline(consumer.reset?.(tx) ?? Promise.resolve(), RESET_TIMEOUT_MS);
  const tick = await startOf(tx, { fromTick, rewindTo }, replay);
  if (tick !== undefined) await takeBackParked(tx, { tenantId: tx.tenantId, group }, tick);
  await rewindTenantCursor(tx, group, tick);
}

/** The same for a store group, of all tenants. */
export async function rewindStore(
  tx: SystemTx,
  { group, replay }: Pick<ConsumerDeclaration, 'group' | 'replay'>,
  { fromTick, rewindTo }: Pick<StoreCursor, 'fromTick' | 'rewindTo'>,
): Promise<void> {
  if (rewindTo === null) return;
  const tick = await startOf(tx, { fromTick, rewindTo }, replay);
  if (tick !== undefined) await takeBackParkedOfStore(tx, group, tick);
  await rewindStoreCursor(tx, group, tick);
}

/** Never ahead of where the cursor stands: a replay delivers again, and skips nothing. Undefined where nothing may be. */
async function startOf(
  tx: TenantTx | SystemTx,
  { fromTick, rewindTo }: { readonly fromTick: bigint; readonly rewindTo: bigint },
  replay: ConsumerDeclaration['replay'],
): Promise<bigint | undefined> {
  if (replay === 'never') return undefined;
  if (replay === 'reset') return 0n;
  return findTickAtOrBefore(tx, rewindTo < fromTick ? rewindTo : fromTick);
}
