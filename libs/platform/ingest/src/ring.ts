import { PackedRun, type Slab, SLAB_BYTES } from './packed-run';
import type { Priority } from './tracked-event';
import type { RowRun } from './telemetry-sink';

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
/** Rows are moved together once that gives back such a part of the memory that there may be. */
const MOVE_AT = 1 / 16;

interface Queue {
  runs: (RowRun | undefined)[];
  /** Runs in front of this one have left, and are not held by their places. */
  head: number;
  rows: number;
  bytes: number;
}

/** What rows count for in limits of memory: of strings a byte a character, as V8 stores what is Latin-1. */
export function bytesOfRow(run: RowRun): number {
  const { count = 1 } = run;
  return (run instanceof PackedRun ? run.byteLength : run.line.length) + count * ROW_OVERHEAD_BYTES;
}

/**
 * Rows that wait for their batch, bounded in rows and in bytes and fair over tenants.
 *
 * Admission is by dynamic thresholds (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998): a
 * queue that is longer than a multiple of the free space takes nothing. No tenant can fill the ring, a part stays free for one that comes
 * late, and nothing that was admitted is ever thrown out. Rows that came together go together. Batches take from the tenants in turns (deficit round robin).
 *
 * The bytes are those that are kept in memory: a slab counts whole, however little of it still waits here. Rows of a tenant that has many
 * waiting stay behind in every slab that it shared with others, so they are moved together where slabs are mostly empty.
 */
export class Ring {
  private readonly queues = new Map<string, Queue>();
  private rowCount = 0;
  private byteCount = 0;
  /** How many bytes wait here in each slab, and in all of them. */
  private readonly inSlabs = new Map<Slab, number>();
  private slabBytes = 0;

  constructor(private readonly limits: RingLimits) {}

  get rows(): number {
    return this.rowCount;
  }

  /** From 0 to 1, and of bytes a slab more: of rows or of bytes, whichever is fuller. */
  get fill(): number {
    return Math.max(this.rowCount / this.limits.rowsMax, this.bytes / this.limits.bytesMax);
  }

  /** Slabs are whole but for one, which is still being filled. */
  private get bytes(): number {
    return this.byteCount + Math.max((this.inSlabs.size - 1) * SLAB_BYTES - this.slabBytes, 0);
  }

  /** Whether there is room for all rows of a run that takes so many bytes: as if each came by itself, and all were of one size. */
  fits({ tenantId, priority, count = 1 }: Omit<RowRun, 'line'>, bytes: number): boolean {
    const alpha = ALPHA[priority];
    const freeRows = this.limits.rowsMax - this.rowCount;
    const freeBytes = this.limits.bytesMax - this.bytes;
    if (freeRows < count || freeBytes < bytes) return false;
    const queue = this.queues.get(tenantId);
    // What its last row would find: those before it are in the queue, and no longer free.
    const before = { rows: count - 1, bytes: (bytes / count) * (count - 1) };
    if ((queue?.rows ?? 0) + before.rows >= alpha * (freeRows - before.rows)) return false;
    return (queue?.bytes ?? 0) + before.bytes < alpha * (freeBytes - before.bytes);
  }

  /** Takes the rows of a run, or answers that there is no room for all of them. */
  offer(run: RowRun): boolean {
    const { tenantId, count = 1 } = run;
    const bytes = bytesOfRow(run);
    if (!this.fits(run, bytes)) return false;
    const queue = this.queues.get(tenantId);
    this.rowCount += count;
    this.byteCount += bytes;
    this.keep(run, 1);
    if (!queue) {
      this.queues.set(tenantId, { runs: [run], head: 0, rows: count, bytes });
      return true;
    }
    queue.runs.push(run);
    queue.rows += count;
    queue.bytes += bytes;
    return true;
  }

  /** Takes the next rows out, of the tenants in turns: at least one run if there is any, and runs as a whole. */
  take(rowsMax: number, bytesMax: number): RowRun[] {
    const taken = this.takeInTurns(rowsMax, bytesMax);
    this.moveTogether();
    return taken;
  }

  private takeInTurns(rowsMax: number, bytesMax: number): RowRun[] {
    const taken: RowRun[] = [];
    let [rows, bytes] = [0, 0];
    for (const [tenantId, queue] of this.queues) {
      for (let turn = 0; turn < QUANTUM && queue.head < queue.runs.length;) {
        const run = queue.runs[queue.head] as RowRun;
        const { count = 1 } = run;
        const runBytes = bytesOfRow(run);
        if (rows > 0 && (rows + count > rowsMax || bytes + runBytes > bytesMax)) return taken;
        queue.runs[queue.head] = undefined;
        queue.head += 1;
        queue.rows -= count;
        queue.bytes -= runBytes;
        this.rowCount -= count;
        this.byteCount -= runBytes;
        this.keep(run, -1);
        rows += count;
        bytes += runBytes;
        turn += count;
        taken.push(run);
      }
      // Behind all others, where the loop comes to it again.
      this.queues.delete(tenantId);
      if (queue.head < queue.runs.length) this.queues.set(tenantId, compacted(queue));
    }
    return taken;
  }

  private keep(run: RowRun, sign: 1 | -1): void {
    if (!(run instanceof PackedRun) || !run.slab) return;
    const bytes = sign * run.byteLength;
    const inSlab = (this.inSlabs.get(run.slab) ?? 0) + bytes;
    this.slabBytes += bytes;
    if (inSlab === 0) this.inSlabs.delete(run.slab);
    else this.inSlabs.set(run.slab, inSlab);
  }

  /** Moves what waits in slabs that are mostly empty, where that is worth it. It gives back more than it copies. */
  private moveTogether(): void {
    const sparse = new Set<Slab>();
    for (const [slab, bytes] of this.inSlabs) if (bytes < SLAB_BYTES / 2) sparse.add(slab);
    if ((sparse.size - 1) * (SLAB_BYTES / 2) < this.limits.bytesMax * MOVE_AT) return;
    for (const { runs, head } of this.queues.values())
      for (let at = head; at < runs.length; at += 1) {
        const run = runs[at];
        if (!(run instanceof PackedRun) || !run.slab || !sparse.has(run.slab)) continue;
        this.keep(run, -1);
        const moved = new PackedRun(run.tenantId, run.priority, run.line.split('\n'));
        this.keep(moved, 1);
        runs[at] = moved;
      }
  }
}

/** Lets go of the places of runs that have left, once they are most of the array. */
function compacted(queue: Queue): Queue {
  if (queue.head * 2 > queue.runs.length) {
    queue.runs = queue.runs.slice(queue.head);
    queue.head = 0;
  }
  return queue;
}
