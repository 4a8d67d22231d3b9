import type { RowRun } from './telemetry-sink';
import type { Priority } from './tracked-event';

/** Runs of some hundred requests: large enough to be cheap, small beside what a ring holds. */
export const SLAB_BYTES = 256 * 1024;
/** What is longer has memory of its own. */
const SHARED_MAX = SLAB_BYTES / 4;
/** UTF-8 has so many for a unit of UTF-16, at most. */
const BYTES_PER_UNIT = 3;

/** Memory that runs share, of whichever tenants: it is there as long as any of them, however small. */
export class Slab {
  readonly memory = Buffer.allocUnsafeSlow(SLAB_BYTES);
  used = 0;
}

let open = new Slab();

function roomFor(text: string): Slab {
  const free = SLAB_BYTES - open.used;
  // Counted only near the end.
  if (free < text.length * BYTES_PER_UNIT && free < Buffer.byteLength(text)) open = new Slab();
  return open;
}

/**
 * Rows of one tenant that came together, as bytes outside of V8's heap. As strings they outlive their youth there while they wait for
 * their batch, are copied twice by then, and that was a third of what a request cost.
 */
export class PackedRun implements RowRun {
  readonly count: number;
  /** Undefined where it has memory of its own. */
  readonly slab: Slab | undefined;
  private readonly memory: Buffer;
  private readonly startsAt: number;
  private readonly endsAt: number;

  /** Of lines without a line break, at least one. */
  constructor(
    readonly tenantId: string,
    readonly priority: Priority,
    lines: readonly string[],
  ) {
    const text = lines.length === 1 ? (lines[0] as string) : lines.join('\n');
    this.count = lines.length;
    if (text.length * BYTES_PER_UNIT > SHARED_MAX) {
      this.memory = Buffer.from(text);
      this.startsAt = 0;
      this.endsAt = this.memory.length;
      return;
    }
    const slab = roomFor(text);
    this.slab = slab;
    this.memory = slab.memory;
    this.startsAt = slab.used;
    slab.used += slab.memory.write(text, slab.used, 'utf8');
    this.endsAt = slab.used;
  }

  get byteLength(): number {
    return this.endsAt - this.startsAt;
  }

  get line(): string {
    return this.memory.toString('utf8', this.startsAt, this.endsAt);
  }

  /** Copies its bytes, and says where they end. */
  copyTo(target: Buffer, at: number): number {
    return at + this.memory.copy(target, at, this.startsAt, this.endsAt);
  }
}

/** How many bytes the text of a run has: of one that is a string, how many at most. */
export function textBytesOf(run: RowRun): number {
  return run instanceof PackedRun ? run.byteLength : run.line.length * BYTES_PER_UNIT;
}

/** Writes the text of a run, for which `textBytesOf` is enough room, and says where it ends. */
export function writeText(run: RowRun, target: Buffer, at: number): number {
  return run instanceof PackedRun ? run.copyTo(target, at) : at + target.write(run.line, at, 'utf8');
}

/** The lines of all runs, in chunks of about so many bytes. */
export function* chunksOf(runs: readonly RowRun[], chunkBytes: number): Generator<Buffer> {
  let chunk = Buffer.alloc(0);
  let at = 0;
  for (const run of runs) {
    const bytes = textBytesOf(run) + 1;
    if (chunk.length - at < bytes) {
      if (at > 0) yield chunk.subarray(0, at);
      chunk = Buffer.allocUnsafe(Math.max(chunkBytes, bytes));
      at = 0;
    }
    at = writeText(run, chunk, at);
    at = chunk.writeUInt8(LINE_BREAK, at);
  }
  if (at > 0) yield chunk.subarray(0, at);
}

const LINE_BREAK = 10;
