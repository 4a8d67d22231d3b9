import { newId } from '@holdfast/kernel';
import { Random } from '@holdfast/testing';
import { RawObject } from './protocols/known-members';
import { chunksOf, PackedRun } from './packed-run';
import { atOnce } from './pieces';
import { RunBatch } from './run-batch';
import { decodeSegment, encodeFrame } from './spill-frame';
import { sharedColumns, trackedLine } from './tracked-line';
import type { RowRun } from './telemetry-sink';
import type { TrackedEvent } from './tracked-event';

const NOW_MS = Date.UTC(2026, 10, 27, 12);
const TEXTS = [
  '',
  'u1',
  '\\',
  '\\t',
  '\\\\N',
  '\\N',
  'a\tb',
  'a\nb',
  'a\r',
  '\r\n',
  'ünï ✓ 😀',
  '"quoted"',
  "it's",
  '0',
];
const OBJECTS = [
  {},
  new RawObject('{"a":1.0, "b":"\\\\ \\"x\\" \\n"}'),
  { text: '\\ \t \n "\u2028', list: [1, null] },
];

describe('A line of columns', () => {
  it('is the same row as its line of JSON', () => {
    const seed = Number(process.hrtime.bigint() % 1_000_000_000n);
    const random = new Random(seed);
    const holder = { keyId: newId(), tenantId: newId() };
    const events = Array.from({ length: 500 }, (): TrackedEvent => ({
      kind: random.pick(['track', 'log']),
      name: random.pick(TEXTS),
      messageId: random.pick(TEXTS),
      userId: random.pick(TEXTS),
      anonymousId: random.pick(TEXTS),
      groupId: random.pick(TEXTS),
      madeAtMs: random.pick([0, -1, NOW_MS - 7, 8.64e15]),
      atMs: NOW_MS - random.between(0, 5_000),
      priority: 'normal',
      properties: random.pick(OBJECTS),
      context: random.pick(OBJECTS),
    }));
    const shared = sharedColumns(holder, NOW_MS, 30);
    const lines = events.map((event) => trackedLine(event, shared) ?? '');
    const run = new PackedRun(holder.tenantId, 'normal', lines);
    const read = ({ tenantId, priority, line, count = 1 }: RowRun): Required<RowRun> => ({
      ...{ tenantId, priority, line, count },
    });
    const runs = [
      run,
      new PackedRun(holder.tenantId, 'low', lines),
      { ...read(run), priority: 'high' as const },
    ];
    const [spilled] = atOnce(decodeSegment(atOnce(encodeFrame(new RunBatch('token', runs), 0)))).batches;
    expect(spilled).toEqual(new RunBatch('token', runs.map(read)));
    expect(read(run).line).toBe(lines.join('\n'));
    expect(Buffer.concat([...chunksOf(runs, 1_000)]).toString()).toBe(
      runs.map((each) => `${each.line}\n`).join(''),
    );
    const rows = new RunBatch('token', [run]).rows.map((row) => JSON.parse(row.line) as unknown);
    expect({ seed, rows }).toEqual({
      seed,
      rows: events.map((event) => ({
        tenant_id: holder.tenantId,
        received_at: new Date(NOW_MS).toISOString(),
        key_id: holder.keyId,
        keep_days: 30,
        kind: event.kind,
        message_id: event.messageId,
        name: event.name,
        user_id: event.userId,
        anonymous_id: event.anonymousId,
        group_id: event.groupId,
        at: new Date(event.atMs).toISOString(),
        made_at: event.madeAtMs,
        properties: JSON.parse(JSON.stringify(event.properties)) as unknown,
        context: JSON.parse(JSON.stringify(event.context)) as unknown,
      })),
    });
  });
});
