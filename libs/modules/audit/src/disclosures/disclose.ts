import { holds } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import type { TenantTx } from '@holdfast/tenancy';
import { commitmentTo, isCommitment, type KeptValue } from '@holdfast/vault';

/** What a payload shows in the place of a commitment. */
export type Disclosed =
  | { readonly value: unknown }
  /** The value is gone: its subject was erased, or it was never kept. */
  | { readonly redacted: true }
  /** Something is kept that is not what the event is committed to. */
  | { readonly altered: true };

/** An event with its payload. */
interface Told {
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const altered = counter({
  name: 'holdfast_audit_altered_disclosures_total',
  help: 'Personal values that were read and are not what their events are committed to.',
});

/**
 * The events with `Disclosed` in the place of each commitment: for callers with `personal:read`, which the handler requires.
 * One statement for a page of at most 1,000 events; a value is shown only if the event is committed to it.
 */
export async function disclose<Row extends Told>(tx: TenantTx, rows: readonly Row[]): Promise<Row[]> {
  const committed = rows.filter(({ data }) => hasCommitment(data));
  if (committed.length === 0) return [...rows];
  const ids = committed.map(({ id }) => id);
  const kept = new Map<string, KeptValue>();
  for (const value of (await tx.vault?.read(tx, ids)) ?? [])
    kept.set(placeOf(value.eventId, value.path), value);
  return rows.map((row) =>
    !hasCommitment(row.data)
      ? row
      : {
          ...row,
          data: Object.fromEntries(
            Object.entries(row.data).map(([path, field]) => [
              path,
              isCommitment(field) ? disclosed(field.commitment, kept.get(placeOf(row.id, path))) : field,
            ]),
          ),
        },
  );
}

/** The same for those of the transaction's callers who may see personal values; the others get the commitments. */
export function discloseTo<Row extends Told>(tx: TenantTx, rows: readonly Row[]): Promise<readonly Row[]> {
  return holds(tx.caller, 'personal:read') ? disclose(tx, rows) : Promise.resolve(rows);
}

/** The log takes payloads that are no objects, although none is announced. */
function hasCommitment(data: unknown): boolean {
  return typeof data === 'object' && data !== null && Object.values(data).some(isCommitment);
}

function disclosed(commitment: string, kept: KeptValue | undefined): Disclosed {
  if (!kept) return { redacted: true };
  const { opening } = kept;
  if (opening && commitmentTo(opening).commitment === commitment) return { value: opening.value };
  altered.inc();
  return { altered: true };
}

function placeOf(eventId: string, path: string): string {
  return `${eventId} ${path}`;
}
