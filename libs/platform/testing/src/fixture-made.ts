import { newId } from '@holdfast/kernel';
import type { Announcement } from '@holdfast/tenancy';

/**
 * An event for a spec that writes rows of a recorded table without the command that tells of them: the database refuses a
 * change that nobody announces.
 */
export function fixtureMade(): Announcement {
  const stream = { streamType: 'test.fixture', streamId: newId(), streamVersion: 1n };
  return { id: newId(), type: 'test.fixture.made', schemaVersion: 1, ...stream, payload: '{}' };
}
