import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { mergedMinutes } from './minutes';
import { atOnce, inTurns } from './pieces';
import { addRows, asideIn, decodeSegment, encodeFrame, type RowsByTenant, rowsIn } from './spill-frame';
import type { TelemetryBatch } from './telemetry-sink';

/** There is no room for a batch, and nothing older that could go for it. */
export class SpillFull extends Error {
  override readonly name = 'SpillFull';
}

/** What a spill needs. */
export interface SpillOptions {
  readonly directory: string;
  /** Of all segments together. */
  readonly bytesMax: number;
  /** A segment that is as long is closed: what is dropped for want of room is one at a time. */
  readonly segmentBytes?: number;
  /** Told of what of the disk does not do what it is to, and goes on. */
  readonly report?: (error: unknown, doing: string) => void;
}

interface Segment {
  readonly path: string;
  bytes: number;
  /** What was written, whether or not it can be read. */
  rows: Map<string, number>;
  /** What is not stored of a segment that was read: whoever stores takes it away from here. */
  left?: TelemetryBatch[];
  /** How often the disk has not given it. */
  failures: number;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** How often a segment is asked of the disk; between two times all others are read, and waits grow where there is none. */
const READS_MAX = 5;
const NAME = /^(\d{12})\.spill$/;

/**
 * Batches on disk, for as long as their store is away: a row of segment files, written at one end and read at the other.
 *
 * What `append` has answered for survives the process, and what the operating system has written, the machine. A process that dies
 * while it writes leaves a torn frame, which the next one cuts off. A segment is removed when all of it is stored; who dies before
 * that stores it again, with the same tokens; who ends leaves what is not stored of it. When there is no room the oldest segment goes, since the youngest is worth most. What a
 * disk has damaged costs the frame that it stands in, and that is counted.
 */
export class Spill {
  private readonly segments: Segment[] = [];
  private writing: { readonly segment: Segment; readonly file: FileHandle } | undefined;
  /** Is not dropped: what of it is on its way to the store would count twice. */
  private reading: Segment | undefined;
  private next = 1;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly segmentBytes: number;

  constructor(private readonly options: SpillOptions) {
    this.segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.ceil(options.bytesMax / 2));
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  get bytesMax(): number {
    return this.options.bytesMax;
  }

  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  /**
   * Finds what an earlier process has left, cuts off what it had not finished, and answers with how much that is: with what cannot be
   * read, which whoever reads is told of. A file that the disk does not give is left where it is, for the next start.
   */
  recover(): RowsByTenant {
    const found = new Map<string, number>();
    const names = readdirSync(this.options.directory).filter((name) => NAME.test(name));
    for (const name of names.toSorted()) {
      this.next = Number(name.slice(0, 12)) + 1;
      try {
        addAll(found, this.recoverSegment(join(this.options.directory, name)));
      } catch (error) {
        this.options.report?.(error, `reading the segment ${name}`);
      }
    }
    return found;
  }

  private recoverSegment(path: string): RowsByTenant {
    const { batches, lost, bytes } = atOnce(decodeSegment(readFileSync(path)));
    const rows = new Map(lost);
    addAll(rows, rowsIn(batches));
    if (bytes > 0) this.segments.push({ path, bytes, rows, failures: 0 });
    try {
      if (bytes === 0) unlinkSync(path);
      else if (bytes < statSync(path).size) truncateSync(path, bytes);
    } catch (error) {
      // What is whole of it can be read all the same.
      this.options.report?.(error, `cutting off what is torn of the segment ${path}`);
    }
    return rows;
  }

  /**
   * Writes the batch behind all others and says what had to go for it. Rejects when the disk refuses or there is no room; the batch is
   * then not there. What was counted of minutes does not go with the events that it tells of: it is written again, as one.
   */
  append(batch: TelemetryBatch, onDropped: (rows: RowsByTenant) => void): Promise<void> {
    return this.inTurn(() => this.write(batch, onDropped));
  }

  /**
   * What is not stored of the oldest segment, which takes no more from here on and is not dropped until `release`; undefined when there is
   * none. Whoever stores a batch of it takes it out of the list. Says, once, what cannot be read of it. Rejects when the disk does not give
   * it; it goes behind all others then, and the fifth time it is set aside as a file `.unreadable`, for whoever repairs the disk.
   */
  readOldest(onLost: (rows: RowsByTenant) => void): Promise<TelemetryBatch[] | undefined> {
    return this.inTurn(async () => {
      const [segment] = this.segments;
      if (!segment) return undefined;
      this.reading = segment;
      if (this.writing?.segment === segment) await this.endSegment();
      try {
        segment.left ??= await this.read(segment, onLost);
      } catch (error) {
        this.reading = undefined;
        await this.putBehind(segment, onLost);
        throw error;
      }
      return segment.left;
    });
  }

  private async putBehind(segment: Segment, onLost: (rows: RowsByTenant) => void): Promise<void> {
    segment.failures += 1;
    this.segments.splice(this.segments.indexOf(segment), 1);
    if (segment.failures < READS_MAX) {
      this.segments.push(segment);
      return;
    }
    onLost(segment.rows);
    // Under another name, the next start does not count it once more.
    await rename(segment.path, `${segment.path}.unreadable`).catch((error: unknown) =>
      this.options.report?.(error, `setting aside the segment ${segment.path}`),
    );
  }

  /** Ends the reading, and removes the segment when all of it is stored. */
  release(): Promise<void> {
    return this.inTurn(async () => {
      const segment = this.reading;
      this.reading = undefined;
      if (segment?.left?.length === 0) await this.remove(segment);
    });
  }

  /** Ends the segment that is being written, on the disk itself, and leaves of one that is stored in part the rest alone. */
  close(): Promise<void> {
    return this.inTurn(async () => {
      await this.endSegment();
      for (const segment of this.segments.filter(isStoredInPart))
        await this.rewrite(segment).catch((error: unknown) =>
          this.options.report?.(error, `taking what is stored out of the segment ${segment.path}`),
        );
    });
  }

  /** In another file, which takes its place: who dies meanwhile leaves the segment as it was. */
  private async rewrite(segment: Segment): Promise<void> {
    const left = segment.left ?? [];
    if (left.length === 0) return this.remove(segment);
    const rows = new Map<string, number>();
    const frames: Buffer[] = [];
    for (const batch of left) {
      frames.push(await inTurns(encodeFrame(batch, eventsIn(rows))));
      addRows(rows, batch);
    }
    const path = `${segment.path}.part`;
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(Buffer.concat(frames));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path, segment.path);
    segment.bytes = frames.reduce((sum, { length }) => sum + length, 0);
    segment.rows = rows;
  }

  /** One after the other: a segment is not closed under a write to it, nor removed twice. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.turn.then(work);
    // Whoever asked is told; those behind go on.
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async read(
    { path, rows }: Segment,
    onLost: (rows: RowsByTenant) => void,
  ): Promise<TelemetryBatch[]> {
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      // Somebody has removed it. What is only hard to read is tried again.
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const batches = [...(await inTurns(decodeSegment(text))).batches];
    const lost = new Map(rows);
    for (const [tenantId, read] of rowsIn(batches)) lost.set(tenantId, (lost.get(tenantId) ?? 0) - read);
    onLost(lost);
    return batches;
  }

  private async write(batch: TelemetryBatch, onDropped: (rows: RowsByTenant) => void): Promise<void> {
    const before = eventsIn(this.writing?.segment.rows);
    let frame = await inTurns(encodeFrame(batch, before));
    const minutes = mergedMinutes(await this.makeRoom(frame.length, onDropped));
    const { segment, file } = await this.segmentFor();
    // The segment that it was to stand in had to go.
    if (eventsIn(segment.rows) !== before) frame = await inTurns(encodeFrame(batch, 0));
    try {
      const { bytesWritten } = await file.write(frame, 0, frame.length, segment.bytes);
      if (bytesWritten < frame.length)
        throw new Error(`the disk took ${bytesWritten} of ${frame.length} bytes`);
    } catch (error) {
      // What was written of it would be taken for a torn end, and the next frame goes over it. Behind one that stays nothing is written.
      await file.truncate(segment.bytes).catch(() => this.endSegment());
      throw error;
    }
    segment.bytes += frame.length;
    addRows(segment.rows, batch);
    // The frame is there and counts, even if the disk does not say that it is safe from a loss of power.
    if (segment.bytes >= this.segmentBytes) await this.endSegment().catch(() => undefined);
    // The batch is there, whether or not this is.
    if (minutes)
      await this.write(minutes, onDropped).catch((error: unknown) =>
        this.options.report?.(error, `spilling ${minutes.rows.length} counts of minutes again`),
      );
  }

  private async endSegment(): Promise<void> {
    const writing = this.writing;
    this.writing = undefined;
    if (!writing) return;
    try {
      await writing.file.sync();
    } finally {
      await writing.file.close();
    }
  }

  /** Answers what went that is no event. */
  private async makeRoom(
    bytes: number,
    onDropped: (rows: RowsByTenant) => void,
  ): Promise<readonly TelemetryBatch[]> {
    const aside: TelemetryBatch[] = [];
    if (bytes > this.options.bytesMax) throw new SpillFull();
    while (this.bytes + bytes > this.options.bytesMax) {
      const oldest = this.segments.find((segment) => segment !== this.reading);
      if (!oldest) throw new SpillFull();
      if (this.writing?.segment === oldest) await this.endSegment();
      const gone = oldest.left ?? asideIn(await readFile(oldest.path).catch(() => Buffer.alloc(0)));
      await this.remove(oldest);
      onDropped(oldest.left ? rowsIn(oldest.left) : oldest.rows);
      aside.push(...gone.filter(({ table }) => table !== 'tracked'));
    }
    return aside;
  }

  private async remove(segment: Segment): Promise<void> {
    await unlink(segment.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error; // Somebody has removed it.
    });
    this.segments.splice(this.segments.indexOf(segment), 1);
  }

  private async segmentFor(): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    if (this.writing) return this.writing;
    const path = join(this.options.directory, `${String(this.next).padStart(12, '0')}.spill`);
    const file = await open(path, 'w', 0o600);
    this.next += 1;
    const segment = { path, bytes: 0, rows: new Map<string, number>(), failures: 0 };
    this.segments.push(segment);
    this.writing = { segment, file };
    return this.writing;
  }
}

function addAll(rows: Map<string, number>, more: RowsByTenant): void {
  for (const [tenantId, count] of more) rows.set(tenantId, (rows.get(tenantId) ?? 0) + count);
}

function eventsIn(rows: RowsByTenant | undefined): number {
  return [...(rows?.values() ?? [])].reduce((sum, count) => sum + count, 0);
}

/** Whether some of it is not to be read again. */
function isStoredInPart({ left, rows }: Segment): boolean {
  return left !== undefined && eventsIn(rowsIn(left)) !== eventsIn(rows);
}
