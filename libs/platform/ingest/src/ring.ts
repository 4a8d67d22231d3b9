import type { Priority } from './tracked-event';
import type { TelemetryRow } from './telemetry-sink';

/** How much a ring holds. */
export interface RingLimits {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/**
 * A tenant's queue may be so many times as long as what is left free. With a factor of 1 a tenant alone gets half of the ring, and two get a
 * third each; what is more important may go on when the rest no longer can.
 */
const ALPHA: Readonly<Record<Priority, number>> = { high: 4, normal: 1, low: 0.25 };
/** Rows of one tenant in a row, when many have rows: large enough to be cheap, small beside a batch. */
const QUANTUM = 64;
/** What a row takes beside its text: the object, the string's head, a place in the queue. */
export const ROW_OVERHEAD_BYTES = 100;

interface Queue {
  rows: TelemetryRow[];
  /** Rows in front of this one have left. */
  head: number;
  bytes: number;
}

/** What a row counts for in limits of memory: a byte a character, as V8 stores what is Latin-1. */
export function bytesOfRow(row: TelemetryRow): number {
  return row.line.length + ROW_OVERHEAD_BYTES;
}

/**
 * Rows that wait for their batch, bounded in rows and in bytes and fair over tenants.
 *
 * Admission is by dynamic thresholds (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998): a
 * queue that is longer than a multiple of the free space takes nothing. No tenant can fill the ring, a part stays free for one that comes
 * late, and nothing that was admitted is ever thrown out. Batches take from the tenants in turns (deficit round robin).
 */
export class Ring {
  private readonly queues = new Map<string, Queue>();
  private rowCount = 0;
  private byteCount = 0;

  constructor(private readonly limits: RingLimits) {}

  get rows(): number {
    return this.rowCount;
  }

  /** From 0 to 1: of rows or of bytes, whichever is fuller. */
  get fill(): number {
    return Math.max(this.rowCount / this.limits.rowsMax, this.byteCount / this.limits.bytesMax);
  }

  /** Takes a row, or answers that there is no room for it. */
  offer(row: TelemetryRow): boolean {
    const bytes = bytesOfRow(row);
    const alpha = ALPHA[row.priority];
    const freeRows = this.limits.rowsMax - this.rowCount;
    const freeBytes = this.limits.bytesMax - this.byteCount;
    const queue = this.queues.get(row.tenantId);
    const length = queue ? queue.rows.length - queue.head : 0;
    if (freeRows < 1 || freeBytes < bytes) return false;
    if (length >= alpha * freeRows || (queue?.bytes ?? 0) >= alpha * freeBytes) return false;
    this.rowCount += 1;
    this.byteCount += bytes;
    if (!queue) {
      this.queues.set(row.tenantId, { rows: [row], head: 0, bytes });
      return true;
    }
    queue.rows.push(row);
    queue.bytes += bytes;
    return true;
  }

  /** Takes the next rows out, of the tenants in turns: at least one if there is any. */
  take(rowsMax: number, bytesMax: number): TelemetryRow[] {
    const taken: TelemetryRow[] = [];
    let bytes = 0;
    for (const [tenantId, queue] of this.queues) {
      for (let turn = 0; turn < QUANTUM && queue.head < queue.rows.length; turn += 1) {
        const row = queue.rows[queue.head] as TelemetryRow;
        const rowBytes = bytesOfRow(row);
        if (taken.length > 0 && (taken.length >= rowsMax || bytes + rowBytes > bytesMax)) return taken;
        queue.head += 1;
        queue.bytes -= rowBytes;
        this.rowCount -= 1;
        this.byteCount -= rowBytes;
        bytes += rowBytes;
        taken.push(row);
      }
      // Behind all others, where the loop comes to it again.
      this.queues.delete(tenantId);
      if (queue.head < queue.rows.length) this.queues.set(tenantId, compacted(queue));
    }
    return taken;
  }
}

/** Lets go of the rows that have left, once they are most of the array. */
function compacted(queue: Queue): Queue {
  if (queue.head * 2 > queue.rows.length) {
    queue.rows = queue.rows.slice(queue.head);
    queue.head = 0;
  }
  return queue;
}
