import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { framesOf } from '../test/made-frames';
import { madeBatch } from '../test/made-rows';
import { Spill, SpillFull } from './spill';
import { atOnce } from './pieces';
import { encodeFrame, type RowsByTenant, rowsIn } from './spill-frame';
import type { TelemetryBatch } from './telemetry-sink';

/** Lets Node run the sources as they are: it strips types, and looks for `./spill-frame` under its file's name. */
const HOOK = `import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) { try { return next(name, context); } catch { return next(name + '.ts', context); } } });`;
const SOURCES = [
  '--experimental-transform-types',
  '--no-warnings',
  '--import',
  `data:text/javascript,${encodeURIComponent(HOOK)}`,
];
const PROCESS = join(__dirname, '../test/spilling-process.ts');
const ROOM = { bytesMax: 1_000_000_000 };
const ignored = (): void => undefined;

/** Everything that a spill holds, oldest first, read as a replay does, and how many events of each tenant cannot be read. */
async function readAll(
  spill: Spill,
): Promise<{ readonly batches: TelemetryBatch[]; readonly lost: Map<string, number> }> {
  const batches: TelemetryBatch[] = [];
  const lost = new Map<string, number>();
  const onLost = (rows: RowsByTenant): void => {
    for (const [tenantId, count] of rows)
      if (count !== 0) lost.set(tenantId, (lost.get(tenantId) ?? 0) + count);
  };
  for (let left = await spill.readOldest(onLost); left; left = await spill.readOldest(onLost)) {
    batches.push(...left.splice(0));
    await spill.release();
  }
  return { batches, lost };
}

describe('A spill', () => {
  let directory: string;

  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'spill-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('gives back what it was given, in order and with its tokens, to the next process too', async () => {
    const batches = [
      madeBatch('a', 3),
      { ...madeBatch('b', 2), table: 'bad_rows' as const },
      madeBatch('a', 1),
    ];
    const before = new Spill({ directory, ...ROOM });
    for (const batch of batches) await before.append(batch, ignored);
    await before.close();
    const after = new Spill({ directory, ...ROOM });
    expect([...after.recover()]).toEqual([['a', 4]]);
    expect(await readAll(after)).toEqual({ batches, lost: new Map() });
    expect(readdirSync(directory)).toEqual([]);
    expect(after.bytes).toBe(0);
  });

  it('cuts off a frame that is torn, and puts what comes later behind what is whole', async () => {
    const whole = [madeBatch('a', 2), madeBatch('b', 1)];
    const segment = Buffer.concat(framesOf(whole));
    const [first] = framesOf(whole);
    for (const cut of [segment.length - 1, first.length + 1, first.length, first.length - 1, 5, 0]) {
      writeFileSync(join(directory, '000000000007.spill'), segment.subarray(0, cut));
      const spill = new Spill({ directory, ...ROOM });
      const kept = whole.slice(0, Math.floor(cut / first.length));
      const found = spill.recover();
      expect({ cut, found }).toEqual({ cut, found: rowsIn(kept) });
      const next = madeBatch('c', 1);
      await spill.append(next, ignored);
      expect(await readAll(spill)).toEqual({ batches: [...kept, next], lost: new Map() });
      await spill.close();
    }
  });

  it.each([
    ['its own process', false],
    ['the next process', true],
  ])('tells %s whose events it cannot read, where the disk has damaged a frame', async (_whose, isNext) => {
    const batches = [madeBatch('a', 2), madeBatch('b', 3), madeBatch('a', 1)];
    const before = new Spill({ directory, ...ROOM });
    for (const batch of batches) await before.append(batch, ignored);
    await before.close();
    const path = join(directory, '000000000001.spill');
    const segment = readFileSync(path);
    const place = segment.indexOf('"number":1', framesOf(batches)[0].length);
    segment.fill(0, place, place + 5);
    writeFileSync(path, segment);
    const spill = isNext ? new Spill({ directory, ...ROOM }) : before;
    if (isNext) expect(spill.recover()).toEqual(rowsIn(batches));
    expect(await readAll(spill)).toEqual({ batches: batches.toSpliced(1, 1), lost: new Map([['b', 3]]) });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('counts a segment that somebody has removed as lost', async () => {
    const spill = new Spill({ directory, ...ROOM, segmentBytes: 1 });
    const batches = [madeBatch('a', 3), madeBatch('b', 2)];
    for (const batch of batches) await spill.append(batch, ignored);
    const [first = ''] = readdirSync(directory).toSorted();
    rmSync(join(directory, first));
    expect(await readAll(spill)).toEqual({ batches: batches.slice(1), lost: new Map([['a', 3]]) });
    expect(spill.isEmpty).toBe(true);
  });

  it('drops the oldest segment when there is no room, and says of whom', async () => {
    const batch = madeBatch('a', 10);
    const frameBytes = atOnce(encodeFrame(batch, 0)).length;
    const spill = new Spill({ directory, bytesMax: 4 * frameBytes, segmentBytes: frameBytes });
    const dropped: [string, number][] = [];
    for (let count = 0; count < 6; count += 1)
      await spill.append({ ...batch, token: batch.token.replace(/.$/, String(count)) }, (rows) =>
        dropped.push(...rows),
      );
    expect(dropped).toEqual([
      ['a', 10],
      ['a', 10],
    ]);
    expect(spill.bytes).toBeLessThanOrEqual(4 * frameBytes);
    expect((await readAll(spill)).batches.map(({ token }) => token.at(-1))).toEqual(['2', '3', '4', '5']);
  });

  it('keeps what was counted of minutes when the segment that holds it goes, summed up', async () => {
    const counted = (events: number, outcome: string): TelemetryBatch => ({
      table: 'ingest_minutes',
      token: `minute ${events} ${outcome}`,
      rows: [
        {
          tenantId: 'a',
          priority: 'high',
          line: JSON.stringify({
            tenant_id: 'a',
            at: '1',
            process_id: 'p',
            lane: '',
            outcome,
            reason: '',
            events,
          }),
        },
      ],
    });
    const batch = madeBatch('a', 10);
    const frameBytes = atOnce(encodeFrame(batch, 0)).length;
    const spill = new Spill({ directory, bytesMax: 6 * frameBytes, segmentBytes: frameBytes });
    let dropped = 0;
    const count = (rows: RowsByTenant): void => void (dropped += rows.get('a') ?? 0);
    for (let minute = 1; minute <= 20; minute += 1) {
      await spill.append(counted(minute, 'received'), count);
      await spill.append(counted(1, 'dropped'), count);
      await spill.append(batch, count);
    }
    expect(dropped).toBeGreaterThan(100);
    const sums = { received: 0, dropped: 0 };
    for (const { table, rows } of (await readAll(spill)).batches)
      if (table === 'ingest_minutes')
        for (const { line } of rows) {
          const { outcome, events } = JSON.parse(line) as { outcome: keyof typeof sums; events: number };
          sums[outcome] += events;
        }
    expect(sums).toEqual({ received: 210, dropped: 20 });
  });

  it('starts with a segment that the disk does not give, reports it, and reads the others', async () => {
    const before = new Spill({ directory, ...ROOM, segmentBytes: 1 });
    const batches = [madeBatch('a', 1), madeBatch('b', 1)];
    for (const batch of batches) await before.append(batch, ignored);
    mkdirSync(join(directory, '000000000000.spill'));
    const reported: string[] = [];
    const after = new Spill({ directory, ...ROOM, report: (_, doing) => reported.push(doing) });
    expect(after.recover()).toEqual(rowsIn(batches));
    expect(reported).toEqual(['reading the segment 000000000000.spill']);
    expect((await readAll(after)).batches).toEqual(batches);
    rmSync(join(directory, '000000000000.spill'), { recursive: true });
  });

  it('goes on where the disk does not give a segment, counts it, and leaves it for whoever repairs the disk', async () => {
    const spill = new Spill({ directory, ...ROOM, segmentBytes: 1 });
    const [gone, kept] = [madeBatch('a', 3), madeBatch('b', 2)];
    for (const batch of [gone, kept]) await spill.append(batch, ignored);
    const path = join(directory, '000000000001.spill');
    renameSync(path, `${path}.kept`);
    mkdirSync(path);
    const lost: RowsByTenant[] = [];
    const read = (): Promise<TelemetryBatch[] | undefined> => spill.readOldest((rows) => lost.push(rows));
    await expect(read()).rejects.toMatchObject({ code: 'EISDIR' });
    const next = await read();
    expect(next?.splice(0)).toEqual([kept]);
    await spill.release();
    for (let again = 2; again <= 5; again += 1)
      await expect(read()).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await read()).toBeUndefined();
    expect(Object.fromEntries(lost.at(-1) ?? [])).toEqual({ a: 3 });
    expect([spill.isEmpty, readdirSync(directory)]).toEqual([
      true,
      ['000000000001.spill.kept', '000000000001.spill.unreadable'],
    ]);
    rmSync(`${path}.unreadable`, { recursive: true });
  });

  it('refuses a batch that is larger than all room, and keeps what it has', async () => {
    const spill = new Spill({ directory, bytesMax: 2_000 });
    const small = madeBatch('a', 1);
    await spill.append(small, ignored);
    await expect(spill.append(madeBatch('a', 1, 'x'.repeat(5_000)), ignored)).rejects.toThrow(SpillFull);
    expect(await readAll(spill)).toEqual({ batches: [small], lost: new Map() });
  });

  it('does not lose or double anything while it is written, read and let go at the same time', async () => {
    const spill = new Spill({ directory, ...ROOM, segmentBytes: 2_000 });
    const batches = Array.from({ length: 300 }, (_, place) => madeBatch('a', 1 + (place % 7)));
    const read: TelemetryBatch[] = [];
    const writer = { isDone: false };
    const writing = (async () => {
      for (const batch of batches) await spill.append(batch, ignored);
      writer.isDone = true;
    })();
    while (!writer.isDone || !spill.isEmpty) {
      const left = await spill.readOldest(ignored);
      read.push(...(left?.splice(0) ?? []));
      await spill.release();
      await setImmediate();
    }
    await writing;
    expect(read.map(({ token }) => token)).toEqual(batches.map(({ token }) => token));
    expect(readdirSync(directory)).toEqual([]);
  });

  it('stores or drops each row once while it is full, written and read at the same time', async () => {
    const spill = new Spill({ directory, bytesMax: 4_000, segmentBytes: 1_000 });
    let [written, read, dropped] = [0, 0, 0];
    const writer = { isDone: false };
    const writing = (async () => {
      for (let place = 0; place < 400; place += 1) {
        await spill.append(madeBatch('a', 5), (rows) => void (dropped += rows.get('a') ?? 0));
        written += 5;
      }
      writer.isDone = true;
    })();
    while (!writer.isDone || !spill.isEmpty) {
      read += 5 * ((await spill.readOldest(ignored))?.splice(0).length ?? 0);
      await spill.release();
      await sleep(Math.random() < 0.3 ? 5 : 0);
    }
    await writing;
    expect({ found: read + dropped }).toEqual({ found: written });
    expect([written, Math.min(read, dropped) > 0]).toEqual([2_000, true]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('has everything that it answered for after its process was killed', async () => {
    const child = spawn(process.execPath, [...SOURCES, PROCESS, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let answered = '';
    child.stdout.on('data', (text: Buffer) => void (answered += text.toString()));
    while (answered.split('\n').length < 200) await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    const tokens = answered.split('\n').slice(0, -1);
    const spill = new Spill({ directory, ...ROOM });
    const found = spill.recover();
    const { batches: kept } = await readAll(spill);
    expect(kept.slice(0, tokens.length).map(({ token }) => token)).toEqual(tokens);
    expect(found.get('a')).toBe(kept.reduce((sum, batch) => sum + batch.rows.length, 0));
    // At most the one that was written and not answered for.
    expect(kept.length - tokens.length).toBeLessThanOrEqual(1);
  });
});
