import { Random } from '@holdfast/testing';
import { framesOf } from '../test/made-frames';
import { madeBatch, madeRow } from '../test/made-rows';
import { PackedRun } from './packed-run';
import { atOnce, type Pieces } from './pieces';
import { RunBatch } from './run-batch';
import { decodeSegment, encodeFrame, NOBODY, type RowsByTenant, rowsIn } from './spill-frame';
import type { TelemetryBatch } from './telemetry-sink';

/** Batches of several tenants, and one that is not of events. */
function mixedBatches(random: Random): TelemetryBatch[] {
  const batchOf = (): TelemetryBatch => ({
    ...madeBatch('', 0),
    rows: Array.from({ length: random.between(1, 30) }, (_, number) =>
      madeRow(`tenant-${random.between(1, 3)}`, number),
    ),
  });
  const aside = { ...madeBatch('tenant-1', 2), table: 'bad_rows' as const };
  return [batchOf(), batchOf(), batchOf(), aside, batchOf(), batchOf(), batchOf()];
}

/** Overwrites stretches of it, as disks lose sectors and pages. */
function overwrite(segment: Buffer, random: Random): void {
  for (let stretch = random.between(1, 4); stretch > 0; stretch -= 1) {
    const length = random.between(1, random.pick([8, 200, 4_000]));
    const start = random.between(0, segment.length - 1);
    const fill = random.pick([() => 0, () => 255, () => random.between(0, 255)]);
    for (let place = start; place < Math.min(start + length, segment.length); place += 1)
      segment[place] = fill();
  }
}

const sumOf = (rows: RowsByTenant): number => [...rows.values()].reduce((sum, count) => sum + count, 0);

/** Guards promise 7: what a disk has damaged is counted like everything else that is not stored. */
function countedTurns<Result>(pieces: Pieces<Result>): [Result, number] {
  for (let turns = 1; ; turns += 1) {
    const { done, value } = pieces.next();
    if (done) return [value, turns];
  }
}

describe('A segment', () => {
  it('that is cut, at whatever byte it is, has the frames that are whole', () => {
    const rows = ['{}', '{"ß":"ä"}'].map((line) => ({ tenantId: 'a', priority: 'high' as const, line }));
    const whole = ['1', '2', '3'].map((token) => ({ table: 'tracked' as const, token, rows }));
    const frames = framesOf(whole);
    const segment = Buffer.concat(frames);
    const ends = frames.map((_, place) => Buffer.concat(frames.slice(0, place + 1)).length);
    for (let cut = 0; cut <= segment.length; cut += 1) {
      const kept = ends.filter((end) => end <= cut);
      const expected = { batches: whole.slice(0, kept.length), lost: new Map(), bytes: kept.at(-1) ?? 0 };
      expect({ cut, ...atOnce(decodeSegment(segment.subarray(0, cut))) }).toEqual({ cut, ...expected });
    }
  });

  it('loses one frame by a bit that has changed, wherever it is, and says whose events those were', () => {
    const batches = [madeBatch('a', 1), madeBatch('b', 2), madeBatch('a', 3)];
    const frames = framesOf(batches);
    const segment = Buffer.concat(frames);
    const ends = frames.map((_, place) => Buffer.concat(frames.slice(0, place + 1)).length);
    let unread = 0;
    for (let place = 0; place < segment.length; place += 1) {
      const changed = Buffer.from(segment);
      changed.writeUInt8(changed.readUInt8(place) ^ (1 << (place % 8)), place);
      const hit = ends.findIndex((end) => place < end);
      const read = atOnce(decodeSegment(changed));
      const isRead = read.batches.length === batches.length;
      const expected = {
        batches: isRead ? batches : batches.toSpliced(hit, 1),
        lost: isRead ? new Map() : rowsIn(batches.slice(hit, hit + 1)),
        bytes: segment.length,
      };
      expect({ place, ...read }).toEqual({ place, ...expected });
      unread += isRead ? 0 : 1;
    }
    // The damage has landed: of most frames the rows take most bytes.
    expect(unread).toBeGreaterThan(segment.length / 3);
  });

  it('accounts for all events where stretches of it are overwritten, but for those at its end', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    let [unread, nobodys] = [0, 0];
    for (let turn = 0; turn < 100; turn += 1) {
      const batches = mixedBatches(random);
      const written = rowsIn(batches);
      const frames = framesOf(batches);
      const damaged = Buffer.concat(frames.slice(0, -1));
      overwrite(damaged, random);
      // The last frame is left whole: behind it nothing tells that it was there.
      const read = atOnce(decodeSegment(Buffer.concat([damaged, ...frames.slice(-1)])));
      const tokens = new Set(read.batches.map(({ token }) => token));
      const whole = batches.filter(({ token }) => tokens.has(token));
      expect({ seed, turn, batches: read.batches }).toEqual({ seed, turn, batches: whole });
      const accounted = rowsIn(read.batches);
      for (const [tenantId, count] of read.lost)
        accounted.set(tenantId, (accounted.get(tenantId) ?? 0) + count);
      expect({ seed, turn, events: sumOf(accounted) }).toEqual({ seed, turn, events: sumOf(written) });
      const ofNobody = read.lost.get(NOBODY) ?? 0;
      if (ofNobody === 0) expect({ seed, turn, accounted }).toEqual({ seed, turn, accounted: written });
      unread += sumOf(read.lost);
      nobodys += ofNobody;
    }
    process.stdout.write(
      `seed ${seed}: ${unread} events cannot be read, of ${nobodys} it is not known whose\n`,
    );
    // The damage has landed, both kinds of it.
    expect([unread > nobodys, nobodys > 0]).toEqual([true, true]);
  });

  it('has no record that somebody has sent as an event', () => {
    const record = framesOf([madeBatch('b', 9)])[0].toString('latin1');
    const line = JSON.stringify({ text: record.repeat(1_000) });
    const batches = [{ ...madeBatch('a', 0), rows: [{ ...madeRow('a', 1), line }] }, madeBatch('a', 2)];
    const segment = Buffer.concat(framesOf(batches));
    const place = segment.indexOf('"text"');
    segment.fill(0, place, place + 4);
    expect(atOnce(decodeSegment(segment))).toMatchObject({
      batches: batches.slice(1),
      lost: new Map([['a', 1]]),
    });
  });

  it('is written and read in pieces, between which others have their turn', () => {
    const runs = Array.from({ length: 10_000 }, (_, nth) => new PackedRun('a', 'normal', [`${nth}`]));
    const [frame, turns] = countedTurns(encodeFrame(new RunBatch('token', runs), 0));
    const [read, turnsBack] = countedTurns(decodeSegment(frame));
    expect(read.batches[0]?.runs?.map(({ line }) => line)).toEqual(runs.map(({ line }) => line));
    // A piece has at most 2,000 runs.
    expect(Math.min(turns, turnsBack)).toBeGreaterThanOrEqual(5);
  });
});
