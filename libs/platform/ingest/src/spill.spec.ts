import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { madeBatch } from '../test/made-rows';
import { Spill, SpillFull } from './spill';
import { encodeFrame } from './spill-frame';
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

/** Everything that a spill holds, oldest first, read as a replay does. */
async function readAll(spill: Spill): Promise<TelemetryBatch[]> {
  const batches: TelemetryBatch[] = [];
  for (let left = await spill.readOldest(); left; left = await spill.readOldest()) {
    batches.push(...left.splice(0));
    await spill.release();
  }
  return batches;
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
    expect(await readAll(after)).toEqual(batches);
    expect(readdirSync(directory)).toEqual([]);
    expect(after.bytes).toBe(0);
  });

  it('keeps what stands before a frame that is cut, at whatever byte it is', async () => {
    const rows = ['{}', '{"ß":"ä"}'].map((line) => ({ tenantId: 'a', priority: 'high' as const, line }));
    const whole = ['1', '2', '3'].map((token) => ({ table: 'tracked' as const, token, rows }));
    const frames = whole.map(encodeFrame);
    const segment = Buffer.concat(frames);
    const ends = frames.map((_, place) => Buffer.concat(frames.slice(0, place + 1)).length);
    for (let cut = 0; cut <= segment.length; cut += 1) {
      writeFileSync(join(directory, '000000000007.spill'), segment.subarray(0, cut));
      const spill = new Spill({ directory, ...ROOM });
      const kept = ends.filter((end) => end <= cut).length;
      const found = spill.recover().get('a') ?? 0;
      expect({ cut, found }).toEqual({ cut, found: kept * rows.length });
      // What comes later does not go behind the torn frame.
      const next = madeBatch('c', 1);
      await spill.append(next, ignored);
      expect(await readAll(spill)).toEqual([...whole.slice(0, kept), next]);
      await spill.close();
    }
  });

  it('keeps what stands before a byte that has changed', async () => {
    const whole = [madeBatch('a', 1), madeBatch('b', 1)];
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = whole.map(encodeFrame);
    for (let place = 0; place < second.length; place += 1) {
      const changed = Buffer.concat([first, second]);
      changed[first.length + place] = (changed[first.length + place] ?? 0) ^ 0x40;
      writeFileSync(join(directory, '000000000001.spill'), changed);
      const spill = new Spill({ directory, ...ROOM });
      expect({ place, found: [...spill.recover()] }).toEqual({ place, found: [['a', 1]] });
      expect(await readAll(spill)).toEqual([whole[0]]);
    }
  });

  it('drops the oldest segment when there is no room, and says of whom', async () => {
    const batch = madeBatch('a', 10);
    const frameBytes = encodeFrame(batch).length;
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
    expect((await readAll(spill)).map(({ token }) => token.at(-1))).toEqual(['2', '3', '4', '5']);
  });

  it('refuses a batch that is larger than all room, and keeps what it has', async () => {
    const spill = new Spill({ directory, bytesMax: 2_000 });
    const small = madeBatch('a', 1);
    await spill.append(small, ignored);
    await expect(spill.append(madeBatch('a', 1, 'x'.repeat(5_000)), ignored)).rejects.toThrow(SpillFull);
    expect(await readAll(spill)).toEqual([small]);
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
      const left = await spill.readOldest();
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
      read += 5 * ((await spill.readOldest())?.splice(0).length ?? 0);
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
    const kept = await readAll(spill);
    expect(kept.slice(0, tokens.length).map(({ token }) => token)).toEqual(tokens);
    expect(found.get('a')).toBe(kept.reduce((sum, batch) => sum + batch.rows.length, 0));
    // At most the one that was written and not answered for.
    expect(kept.length - tokens.length).toBeLessThanOrEqual(1);
  });
});
