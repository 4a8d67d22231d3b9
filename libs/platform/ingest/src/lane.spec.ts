import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@holdfast/testing';
import { madeRow } from '../test/made-rows';
import { type Answer, ScriptedSink } from '../test/scripted-sink';
import { Accounting, droppedOf } from './accounting';
import { Lane } from './lane';
import { Spill } from './spill';
import type { TelemetryRow } from './telemetry-sink';

const RING = { rowsMax: 2_000, bytesMax: 1_000_000 };

async function eventually(condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const endsAtMs = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > endsAtMs) throw new Error('it did not come true in time');
    await sleep(10);
  }
}

/** What is received and recovered, and what became of it: the two are the same at every instant. */
function balanceOf(
  { accounting }: Lane,
  offered: number,
): { readonly taken: number; readonly found: number } {
  const { total } = accounting;
  const found = total.stored + droppedOf(total) + total.in_flight + total.spilled;
  return { taken: offered + total.recovered, found };
}

describe('A lane', () => {
  let directory: string;
  let sink: ScriptedSink;
  let lane: Lane;
  let refused: TelemetryRow[];
  let erased: Set<string>;
  let offered: number;

  const newLane = (bytesMax = 10_000_000): Lane => {
    const spill = new Spill({ directory, bytesMax, segmentBytes: 20_000 });
    return new Lane({
      sink,
      spill,
      ring: RING,
      report: () => undefined,
      onRefused: (row) => refused.push(row),
      isErased: (tenantId) => erased.has(tenantId),
    });
  };
  const offer = (tenantId: string, count: number): number => {
    const rows = Array.from({ length: count }, (_, place) => madeRow(tenantId, offered + place));
    offered += count;
    return lane.offer(tenantId, rows);
  };
  const expectBalance = (): void => {
    const { taken, found } = balanceOf(lane, offered);
    expect(found).toBe(taken);
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lane-'));
    sink = new ScriptedSink();
    refused = [];
    erased = new Set();
    offered = 0;
    lane = newLane();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('stores what it takes, once', async () => {
    lane.start();
    offer('a', 10);
    await eventually(() => lane.accounting.total.stored === 10);
    expect(new Set(sink.lines).size).toBe(10);
    await lane.drain(1_000);
    expectBalance();
  });

  it('drops what there is no room for, and counts it', async () => {
    expect(offer('a', 3_000)).toBe(1_000);
    expect(lane.accounting.of('a')).toMatchObject({ in_flight: 1_000, overload: 2_000 });
    lane.start();
    await lane.drain(5_000);
    expect(lane.accounting.total).toMatchObject({ in_flight: 0, stored: 1_000 });
    expectBalance();
  });

  it('finds the rows that the store refuses, and stores all others', async () => {
    sink.refuses = ({ line }) => line.includes('7}');
    lane.start();
    offer('a', 100);
    await lane.drain(5_000);
    expect(refused).toHaveLength(10);
    expect(lane.accounting.total).toMatchObject({ stored: 90, refused: 10, in_flight: 0, spilled: 0 });
    expect(sink.lines).toHaveLength(90);
  });

  it('asks the store a bounded number of times about a batch of which it refuses every row', async () => {
    sink.refuses = () => true;
    offer('a', 1_000);
    lane.start();
    await lane.drain(5_000);
    expect(lane.accounting.total).toMatchObject({ stored: 0, refused: 1_000, in_flight: 0 });
    expect([sink.attempts, refused.length]).toEqual([129, 1_000]);
  });

  it('loses few rows with the refused where those are more than it looks for', async () => {
    sink.refuses = ({ line }) => line.endsWith('50}');
    offer('a', 1_000);
    lane.start();
    await lane.drain(5_000);
    const { stored, refused: lost, in_flight } = lane.accounting.total;
    expect({ found: stored + lost, in_flight }).toEqual({ found: 1_000, in_flight: 0 });
    // Ten rows are refused; each takes the part of its batch along that it stands in: 1,000 halved six times or seven.
    expect(lost).toBeGreaterThanOrEqual(10);
    expect(lost).toBeLessThan(160);
    expect(sink.lines).toHaveLength(stored);
    expect(sink.attempts).toBeLessThanOrEqual(129);
  });

  it('stores nothing of a tenant that is erased, neither out of memory nor from the disk', async () => {
    sink.answer = () => 'fail';
    lane.start();
    for (const tenantId of ['gone', 'kept', 'gone']) offer(tenantId, 100);
    await eventually(() => lane.accounting.total.spilled === 300);
    await lane.drain(0);
    lane = newLane();
    offered = 0;
    erased.add('gone');
    sink.answer = () => 'store';
    lane.start();
    offer('gone', 10);
    lane.offerAside('bad_rows', [madeRow('gone', 1), madeRow('kept', 2)]);
    await eventually(() => lane.accounting.total.spilled === 0);
    await lane.drain(5_000);
    expect(lane.accounting.of('gone')).toMatchObject({ stored: 0, erased: 210 });
    expect(lane.accounting.of('kept')).toMatchObject({ stored: 100, erased: 0 });
    expectBalance();
    const stored = [...sink.batches.values()].flatMap(({ rows }) => rows);
    expect(new Set(stored.map(({ tenantId }) => tenantId))).toEqual(new Set(['kept']));
  }, 30_000);

  it('counts no half twice when the store goes away between two', async () => {
    let attempt = 0;
    sink.refuses = ({ line }) => line.includes('7}');
    sink.answer = () => ((attempt += 1) % 3 === 0 ? 'fail' : 'store');
    lane.start();
    offer('a', 100);
    await lane.drain(0);
    await eventually(() => lane.accounting.total.in_flight === 0);
    expectBalance();
    sink.answer = () => 'store';
    const firstLane = lane.accounting.total;
    lane = newLane();
    lane.start();
    await eventually(() => lane.accounting.total.spilled === 0);
    expect(firstLane.refused + lane.accounting.total.refused).toBe(10);
    expect(new Set(sink.lines).size).toBe(90);
    expect(sink.lines).toHaveLength(90);
    await lane.drain(1_000);
  });

  it('spills while the store is away, and stores all of it when it is back', async () => {
    sink.answer = () => 'fail';
    lane.start();
    offer('a', 500);
    await eventually(() => lane.accounting.total.spilled === 500);
    offer('b', 100);
    await eventually(() => lane.accounting.total.spilled === 600);
    sink.answer = () => 'store';
    await eventually(() => lane.accounting.total.stored === 600);
    expect(lane.accounting.total.replayed).toBe(600);
    expect(sink.lines).toHaveLength(600);
    await lane.drain(1_000);
    expectBalance();
  }, 30_000);

  it('stores one segment behind the other without a pause', async () => {
    // Were each to wait for the loop to look, it would take half a minute, which is not waited for here.
    const segments = 300;
    const spill = new Spill({ directory, bytesMax: 10_000_000, segmentBytes: 1 });
    for (let place = 0; place < segments; place += 1)
      await spill.append(
        { table: 'tracked', token: `${place}`, rows: [madeRow('a', place)] },
        () => undefined,
      );
    await spill.close();
    lane.start();
    await eventually(() => lane.accounting.total.stored === segments);
    await lane.drain(1_000);
    expectBalance();
  });

  it('keeps in memory what neither the store nor the disk takes, and stores it when the store is back', async () => {
    sink.answer = () => 'fail';
    lane.start();
    rmSync(directory, { recursive: true, force: true });
    for (let turn = 0; turn < 4; turn += 1) {
      offer(`tenant ${turn}`, 100);
      await sleep(500);
      expectBalance();
    }
    // It has been tried.
    expect(sink.attempts).toBeGreaterThan(3);
    expect(lane.accounting.total).toMatchObject({ in_flight: 400, spilled: 0, spill_failed: 0, overload: 0 });
    sink.answer = () => 'store';
    await eventually(() => lane.accounting.total.stored === 400);
    expect(new Set(sink.lines).size).toBe(400);
    await lane.drain(1_000);
    expectBalance();
  }, 30_000);

  it('refuses what comes when it can let go of nothing and is full, and counts that', async () => {
    sink.answer = () => 'fail';
    lane.start();
    rmSync(directory, { recursive: true, force: true });
    for (let turn = 0; turn < 40; turn += 1) offer(`tenant ${turn % 4}`, 200);
    await sleep(300);
    expectBalance();
    const { in_flight: inFlight, overload } = lane.accounting.total;
    expect({ found: inFlight + overload, none: lane.accounting.total.spill_failed }).toEqual({
      found: 8_000,
      none: 0,
    });
    await lane.drain(100);
    expect(lane.accounting.total).toMatchObject({ in_flight: 0, shutdown: inFlight });
    expectBalance();
  });

  it('stores what it has heard nothing of once, though it is sent again after a restart', async () => {
    sink.answer = () => 'store_and_fail';
    lane.start();
    offer('a', 500);
    await lane.drain(2_000);
    expect(lane.accounting.total).toMatchObject({ stored: 0, spilled: 500 });
    expect(sink.lines).toHaveLength(500);
    sink.answer = () => 'store';
    lane = newLane();
    lane.start();
    expect(lane.accounting.of('a')).toMatchObject({ recovered: 500, spilled: 500 });
    await eventually(() => lane.accounting.total.stored === 500);
    expect(sink.lines).toHaveLength(500);
    await lane.drain(1_000);
  });

  it('spills at the end what the store keeps waiting for, and does not count its answer any more', async () => {
    sink.answer = () => 'hang';
    lane.start();
    offer('a', 50);
    await eventually(() => sink.attempts > 0);
    offer('a', 50);
    await lane.drain(100);
    expect(lane.accounting.total).toMatchObject({ spilled: 100, in_flight: 0, stored: 0 });
    sink.answer = () => 'store';
    sink.releaseAll();
    await eventually(() => sink.lines.length === 50);
    await sleep(20);
    expect(lane.accounting.total).toMatchObject({ spilled: 100, stored: 0 });
    lane = newLane();
    lane.start();
    await eventually(() => lane.accounting.total.stored === 100);
    expect(sink.lines).toHaveLength(100);
    await lane.drain(1_000);
  });

  it('drops what comes after the end as such', async () => {
    lane.start();
    await lane.drain(100);
    expect(offer('a', 3)).toBe(0);
    expect(lane.accounting.total.shutdown).toBe(3);
  });

  it('keeps its sums exact at every instant, whatever the store does, also over restarts', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    const answers: Answer[] = ['store', 'store', 'fail', 'store_and_fail', 'hang'];
    sink.refuses = ({ line }) => line.endsWith('13}');
    lane = newLane(60_000);
    lane.start();
    const stored = { counted: 0, runs: 0 };
    for (let step = 0; step < 400; step += 1) {
      const answer = random.pick(answers);
      sink.answer = () => answer;
      offer(`tenant ${random.between(1, 4)}`, random.between(1, 400));
      if (random.next() < 0.5) sink.releaseAll();
      if (random.next() < 0.3) await sleep(random.between(0, 30));
      const { taken, found } = balanceOf(lane, offered);
      expect({ seed, step, found }).toEqual({ seed, step, found: taken });
      if (random.next() >= 0.03) continue;
      await lane.drain(random.between(0, 50));
      const { total } = lane.accounting;
      expect({ seed, step, in_flight: total.in_flight }).toEqual({ seed, step, in_flight: 0 });
      stored.counted += total.stored;
      const { spilled } = total;
      offered = 0;
      sink.releaseAll();
      lane = newLane(60_000);
      lane.start();
      expect({ seed, step, found: lane.accounting.total.recovered }).toEqual({ seed, step, found: spilled });
    }
    sink.answer = () => 'store';
    sink.releaseAll();
    await lane.drain(10_000);
    expect(Math.min(...Object.values(lane.accounting.total))).toBeGreaterThanOrEqual(0);
    // What a store had stored and not said is dropped from the disk when that is full: it is in the store and counts as dropped.
    expect(sink.lines.length).toBeGreaterThanOrEqual(stored.counted + lane.accounting.total.stored);
  }, 60_000);
});

describe('The accounting', () => {
  it('tells what has changed, once, and forgets tenants of whom nothing is under way', () => {
    const accounting = new Accounting();
    accounting.add('a', 'in_flight', 5);
    expect(accounting.takeChanges()).toEqual([
      { tenantId: 'a', outcome: 'in_flight', reason: '', events: 5 },
    ]);
    expect(accounting.takeChanges()).toEqual([]);
    accounting.move('a', 'in_flight', 'refused', 5);
    expect(accounting.takeChanges()).toEqual([
      { tenantId: 'a', outcome: 'in_flight', reason: '', events: -5 },
      { tenantId: 'a', outcome: 'dropped', reason: 'refused', events: 5 },
    ]);
    accounting.takeChanges();
    expect(accounting.of('a')).toMatchObject({ in_flight: 0, refused: 0 });
    expect(accounting.total.refused).toBe(5);
  });
});
