import { crc32 } from 'node:zlib';
import type { TelemetryBatch, TelemetryRow, TelemetryTable } from './telemetry-sink';

/** `HFS1`, the length of the body, and its CRC32: 12 bytes before each body. */
const MAGIC = 0x48465331;
const HEAD_BYTES = 12;
/** A batch is some megabytes; a length beyond this is not one. */
const BODY_MAX = 256 * 1024 * 1024;
const PRIORITIES = { h: 'high', n: 'normal', l: 'low' } as const;

/** A batch as it stands in a segment: the head, then a line with table and token, then a line for each row. */
export function encodeFrame({ table, token, rows }: TelemetryBatch): Buffer {
  const lines = rows.map(({ tenantId, priority, line }) => `${priority.charAt(0)}${tenantId} ${line}`);
  const body = Buffer.from([`${table} ${token}`, ...lines].join('\n'));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt32BE(body.length, 4);
  head.writeUInt32BE(crc32(body), 8);
  return Buffer.concat([head, body]);
}

/** The batches of a segment up to the first frame that is not whole, and how many bytes those take. */
export function decodeFrames(segment: Buffer): {
  readonly frames: readonly TelemetryBatch[];
  readonly bytes: number;
} {
  const frames: TelemetryBatch[] = [];
  let place = 0;
  while (place + HEAD_BYTES <= segment.length) {
    const end = place + HEAD_BYTES + segment.readUInt32BE(place + 4);
    if (segment.readUInt32BE(place) !== MAGIC || end > segment.length || end - place > BODY_MAX) break;
    const body = segment.subarray(place + HEAD_BYTES, end);
    if (crc32(body) !== segment.readUInt32BE(place + 8)) break;
    frames.push(batchOf(body.toString()));
    place = end;
  }
  return { frames, bytes: place };
}

function batchOf(body: string): TelemetryBatch {
  const [head = '', ...lines] = body.split('\n');
  const [table, token = ''] = head.split(' ');
  return { table: table as TelemetryTable, token, rows: lines.map(rowOf) };
}

function rowOf(text: string): TelemetryRow {
  const space = text.indexOf(' ');
  const priority = PRIORITIES[text.charAt(0) as keyof typeof PRIORITIES];
  return { tenantId: text.slice(1, space), priority, line: text.slice(space + 1) };
}
