import { crc32 } from 'node:zlib';
import { PackedRun, writeText } from './packed-run';
import { atOnce, type Pieces } from './pieces';
import { RunBatch } from './run-batch';
import {
  type RowRun,
  runsOf,
  type TelemetryBatch,
  type TelemetryRow,
  type TelemetryTable,
} from './telemetry-sink';

/** How many events of each tenant. */
export type RowsByTenant = ReadonlyMap<string, number>;

/** What can be read of a segment. */
export interface Segment {
  readonly batches: readonly TelemetryBatch[];
  /** Events of frames whose rows cannot be read. */
  readonly lost: RowsByTenant;
  /** Where the last frame that is whole ends: what stands behind it was never answered for. */
  readonly bytes: number;
}

/** What a frame's census says. */
interface Census {
  readonly table: TelemetryTable;
  /** Events in the segment before this frame. */
  readonly before: number;
  /** Bytes of the record of rows behind it. */
  readonly bytes: number;
  readonly rows: Readonly<Record<string, number>>;
}

/** A record whose checksum is right. */
interface Found {
  readonly kind: typeof CENSUS | typeof ROWS;
  readonly body: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Each record has a head of 12 bytes: what it is, the length of its body, and the CRC32 of those and the body. */
const CENSUS = 0x48465343; // HFSC
const ROWS = 0x48465352; // HFSR
const HEAD_BYTES = 12;
const CHECKSUM_AT = 8;
/** What both begin with. */
const MAGIC = Buffer.from('HFS');
/**
 * A batch is some megabytes; a length as long as this is not one. Its first byte is then that of a control character before the tab, which
 * neither JSON nor columns leave in a text: nobody can send an event that is taken for a record.
 */
const BODY_MAX = 128 * 1024 * 1024;
/** So many are written or read before others have their turn: some milliseconds. */
const RUNS_IN_PIECE = 2_000;
/** In the place of the table, of tracked events whose rows stand in columns: a line with their number before each run of them. */
const IN_COLUMNS = 'columns';
const PRIORITIES = { h: 'high', n: 'normal', l: 'low' } as const;
/** Whose events are lost where the census is lost as well: it is known how many, and not of whom. */
export const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * A batch as it stands in a segment, behind so many events of others: a census, then the rows. Either is found without the other, so that
 * of rows that cannot be read it is known whose they were.
 */
export function* encodeFrame(batch: TelemetryBatch, before: number): Pieces<Buffer> {
  const { table, token, runs } = batch;
  const isInColumns = runs?.every(({ count }) => count !== undefined) ?? false;
  const parts = isInColumns ? runsOf(batch) : batch.rows;
  const begin = `${isInColumns ? IN_COLUMNS : table} ${token}`;
  const heads = parts.map(headOf);
  yield;
  const length = parts.reduce(
    (sum, run, nth) => sum + bytesOf(run) + (heads[nth] ?? '').length,
    begin.length,
  );
  const bytes = HEAD_BYTES + length;
  yield;
  const counts = Object.fromEntries(rowsIn([batch]));
  const census = recordOf(
    CENSUS,
    Buffer.from(JSON.stringify({ table, before, bytes, rows: counts } satisfies Census)),
  );
  const frame = Buffer.allocUnsafe(census.length + bytes);
  const record = frame.subarray(census.copy(frame));
  let at = HEAD_BYTES + record.write(begin, HEAD_BYTES, 'latin1');
  for (const [nth, run] of parts.entries()) {
    at += record.write(heads[nth] ?? '', at, 'latin1');
    at = writeText(run, record, at);
    if (nth % RUNS_IN_PIECE === 0) yield;
  }
  sealRecord(ROWS, record);
  return frame;
}

/** Before the text of a run: whose it is and how many lines it has; before that of a row: whose. */
function headOf(run: RowRun): string {
  return run.count === undefined ? `\n${beginOf(run)} ` : `\n${beginOf(run)} ${run.count}\n`;
}

function bytesOf(run: RowRun): number {
  return run instanceof PackedRun ? run.byteLength : Buffer.byteLength(run.line);
}

function beginOf({ priority, tenantId }: TelemetryRow): string {
  return `${priority.charAt(0)}${tenantId}`;
}

/**
 * Reads a segment in one pass. Behind what is damaged it goes on at the next record whose checksum is right; the last frame is left out
 * where the file ends before it does.
 */
export function* decodeSegment(segment: Buffer): Pieces<Segment> {
  const batches: TelemetryBatch[] = [];
  const lost = new Map<string, number>();
  let [bytes, seen] = [0, 0];
  let census: (Census & { readonly end: number }) | undefined;
  const lose = (tenantId: string, rows: number): void => {
    if (rows <= 0) return;
    lost.set(tenantId, (lost.get(tenantId) ?? 0) + rows);
    seen += rows;
  };
  /** The rows that a census stands in front of were not found. Where the file is too short for them they were never whole. */
  const loseCounted = (): void => {
    if (!census || census.end + census.bytes > segment.length) return;
    for (const [tenantId, rows] of Object.entries(census.rows)) lose(tenantId, rows);
    bytes = census.end + census.bytes;
  };
  for (let found = findRecord(segment, 0); found; found = findRecord(segment, found.end)) {
    if (found.kind === CENSUS) {
      loseCounted();
      census = { ...(JSON.parse(found.body.toString()) as Census), end: found.end };
      lose(NOBODY, census.before - seen);
      continue;
    }
    // Rows without their own census in front: that of an earlier frame has lost its own.
    if (census?.end !== found.start) loseCounted();
    census = undefined;
    const batch = yield* batchOf(found.body);
    batches.push(batch);
    for (const rows of rowsIn([batch]).values()) seen += rows;
    bytes = found.end;
    yield;
  }
  loseCounted();
  return { batches, lost, bytes };
}

/** The batches of a segment that are not events. What those are of is not read. */
export function asideIn(segment: Buffer): TelemetryBatch[] {
  const batches: TelemetryBatch[] = [];
  let table: TelemetryTable | undefined;
  for (let found = findRecord(segment, 0); found; found = findRecord(segment, found.end)) {
    if (found.kind === CENSUS) table = (JSON.parse(found.body.toString()) as Census).table;
    else if (table !== undefined && table !== 'tracked') batches.push(atOnce(batchOf(found.body)));
  }
  return batches;
}

/** How many events the batches hold, of each tenant. */
export function rowsIn(batches: readonly TelemetryBatch[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const batch of batches) addRows(rows, batch);
  return rows;
}

/** Adds the events of a batch. */
export function addRows(rows: Map<string, number>, batch: TelemetryBatch): void {
  if (batch.table !== 'tracked') return;
  for (const { tenantId, count = 1 } of runsOf(batch)) rows.set(tenantId, (rows.get(tenantId) ?? 0) + count);
}

function recordOf(kind: Found['kind'], body: Buffer): Buffer {
  const record = Buffer.concat([Buffer.alloc(HEAD_BYTES), body]);
  sealRecord(kind, record);
  return record;
}

/** Writes the head of a record whose body is there. */
function sealRecord(kind: Found['kind'], record: Buffer): void {
  const body = record.subarray(HEAD_BYTES);
  record.writeUInt32BE(kind, 0);
  record.writeUInt32BE(body.length, 4);
  record.writeUInt32BE(checksumOf(record, body), CHECKSUM_AT);
}

/** Of the head as well: that of nothing is 0, and a page of zeros would be a record. */
function checksumOf(head: Buffer, body: Buffer): number {
  return crc32(body, crc32(head.subarray(0, CHECKSUM_AT)));
}

/** The first record from there on whose checksum is right. */
function findRecord(segment: Buffer, from: number): Found | undefined {
  for (let start = segment.indexOf(MAGIC, from); start >= 0; start = segment.indexOf(MAGIC, start + 1)) {
    if (start + HEAD_BYTES > segment.length) return undefined;
    const kind = segment.readUInt32BE(start);
    const length = segment.readUInt32BE(start + 4);
    const end = start + HEAD_BYTES + length;
    if ((kind !== CENSUS && kind !== ROWS) || length > BODY_MAX || end > segment.length) continue;
    const body = segment.subarray(start + HEAD_BYTES, end);
    const checksum = checksumOf(segment.subarray(start), body);
    if (checksum === segment.readUInt32BE(start + CHECKSUM_AT)) return { kind, body, start, end };
  }
  return undefined;
}

function* batchOf(body: Buffer): Pieces<TelemetryBatch> {
  const [head = '', ...lines] = body.toString().split('\n');
  const [table, token = ''] = head.split(' ');
  if (table !== IN_COLUMNS) return { table: table as TelemetryTable, token, rows: lines.map(rowOf) };
  const runs: RowRun[] = [];
  for (let at = 0; at < lines.length;) {
    const { line: number, ...whose } = rowOf(lines[at] ?? '');
    const count = Number(number);
    runs.push({ ...whose, count, line: lines.slice(at + 1, at + 1 + count).join('\n') });
    at += 1 + count;
    if (runs.length % RUNS_IN_PIECE === 0) yield;
  }
  return new RunBatch(token, runs);
}

function rowOf(text: string): TelemetryRow {
  const space = text.indexOf(' ');
  const priority = PRIORITIES[text.charAt(0) as keyof typeof PRIORITIES];
  return { tenantId: text.slice(1, space), priority, line: text.slice(space + 1) };
}
