import { newId } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';

/** What a step of a test does: an event on a stream of the step's key. Doing it twice is refused by the stream's versions. */
export function effect(tx: TenantTx, key: string, what: 'made' | 'undone'): Promise<void> {
  return tx.announce({
    ...{ id: newId(), type: `test.effect.${what}`, schemaVersion: 1, streamType: 'test.effect' },
    ...{ streamId: key, streamVersion: what === 'made' ? 1n : 2n, payload: '{}' },
  });
}
