import { findAggregate, foldEvent, type FoldedEvent, type FoldedState } from '@holdfast/tenancy';
import type { AuditEventRow } from '../trail/audit-event-view';
import { type Difference, differencesOf } from './differences';

/** What one event made of the entity whose stream it is on. */
export interface Change {
  /** False where events of this stream change no state, or this release cannot read the event: nothing is known then. */
  readonly isFolded: boolean;
  /** By field; null before the first event, and behind one that removes the entity. */
  readonly before: FoldedState | null;
  readonly after: FoldedState | null;
  readonly changes: readonly Difference[];
}

/** Versions that are folded for one answer. They pass through memory page by page. */
export const VERSIONS_MAX = 10_000;

/** Folds a stream, event by event in its order. */
export class StreamFold {
  private state: FoldedState | null = null;
  private version = 0n;
  /** Versions before the first that there is are gone: what made the state is not known. */
  isCut = false;

  /** What the event changed. */
  take(row: AuditEventRow): Change {
    const before = this.state;
    const aggregate = findAggregate(row.stream_type);
    this.isCut ||= row.stream_version !== this.version + 1n;
    this.version = row.stream_version;
    if (!aggregate || this.isCut) return unfolded(before);
    try {
      this.state = foldEvent(aggregate, before, foldedEvent(row));
    } catch {
      // Folding is pure: whatever it throws says that the event cannot be read, by this release or at all.
      return unfolded(before);
    }
    return {
      isFolded: true,
      before,
      after: this.state,
      changes: differencesOf(before ?? {}, this.state ?? {}),
    };
  }
}

function unfolded(state: FoldedState | null): Change {
  return { isFolded: false, before: state, after: state, changes: [] };
}

function foldedEvent(row: AuditEventRow): FoldedEvent {
  return {
    id: row.id,
    streamType: row.stream_type,
    streamId: row.stream_id,
    streamVersion: row.stream_version,
    type: row.type,
    schemaVersion: row.schema_version,
    occurredAt: row.occurred_at,
    data: row.data,
  };
}
