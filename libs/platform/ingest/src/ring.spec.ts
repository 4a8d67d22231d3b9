import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random } from '@holdfast/testing';
import { PackedRun } from './packed-run';
import { bytesOfRow, Ring } from './ring';
import type { TelemetryRow } from './telemetry-sink';
import type { Priority } from './tracked-event';

const rowOf = (tenantId: string, priority: Priority = 'normal', line = '{}'): TelemetryRow => ({
  tenantId,
  priority,
  line,
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Outside of V8's heap. */
function memory(): number {
  // What the first has found is given back behind it.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Offers until the ring takes no more; how many it took. */
function fillWith(ring: Ring, tenantId: string, priority: Priority = 'normal'): number {
  let taken = 0;
  while (ring.offer(rowOf(tenantId, priority))) taken += 1;
  return taken;
}

describe('The ring', () => {
  const limits = { rowsMax: 1_000, bytesMax: 1_000_000 };

  it('gives one tenant half, and keeps the rest for those who come late', () => {
    const ring = new Ring(limits);
    expect(fillWith(ring, 'first')).toBe(500);
    expect(fillWith(ring, 'second')).toBe(250);
    expect(fillWith(ring, 'third')).toBe(125);
  });

  it('takes what is important when it takes nothing else any more, and of what is not, little', () => {
    const ring = new Ring(limits);
    expect(fillWith(ring, 'tenant', 'low')).toBe(200);
    fillWith(ring, 'tenant', 'normal');
    expect(fillWith(ring, 'tenant', 'high')).toBe(300);
  });

  it('is bounded in bytes too', () => {
    const line = 'x'.repeat(10_000);
    const ring = new Ring({ rowsMax: 1_000, bytesMax: 100 * bytesOfRow(rowOf('a', 'normal', line)) });
    let taken = 0;
    while (ring.offer(rowOf('a', 'normal', line))) taken += 1;
    expect(taken).toBe(50);
    expect(ring.fill).toBe(0.5);
  });

  it('keeps no more memory than its limit where each slab has a few rows of one tenant left', () => {
    const ring = new Ring({ rowsMax: 1_000_000, bytesMax: 8_000_000 });
    const [small, large] = ['x'.repeat(200), 'x'.repeat(10_000)];
    const before = memory();
    let [offered, taken] = [0, 0];
    // Whoever sends more than its turn stays behind, in the memory that it shares with 100 who do not.
    for (let turn = 0; turn < 40; turn += 1) {
      for (let row = 0; row < 1_000; row += 1) {
        if (ring.offer(new PackedRun('loud', 'normal', [small]))) offered += 1;
        const quiet = `quiet ${row % 100}`;
        if (row % 10 === 0 && ring.offer(new PackedRun(quiet, 'normal', [large]))) offered += 1;
      }
      taken += ring.take(164, 100_000_000).length;
    }
    expect(ring.fill).toBeGreaterThan(0.4);
    expect(memory() - before).toBeLessThan(8_000_000);
    expect(ring.rows).toBe(offered - taken);
    expect(ring.take(Infinity, Infinity).every(({ line }) => line === small || line === large)).toBe(true);
    expect([ring.rows, ring.fill]).toEqual([0, 0]);
  });

  it('lets every tenant leave while one has a thousand times the rows', () => {
    const ring = new Ring({ rowsMax: 100_000, bytesMax: 100_000_000 });
    fillWith(ring, 'loud');
    for (let tenant = 0; tenant < 20; tenant += 1) ring.offer(rowOf(`quiet ${tenant}`));
    const tenants = new Set(ring.take(1_000, 1_000_000).map((row) => row.tenantId));
    expect(tenants.size).toBe(21);
  });

  it('takes a run whole if it would take each of its rows, and not at all otherwise', () => {
    const seed = Number(process.hrtime.bigint() % 1_000_000_000n);
    const random = new Random(seed);
    for (let turn = 0; turn < 300; turn += 1) {
      const room = { rowsMax: random.between(10, 200), bytesMax: random.between(2_000, 20_000) };
      const [runs, rows] = [new Ring(room), new Ring(room)];
      for (let step = 0; step < 20; step += 1) {
        const [tenantId, priority] = [
          random.pick(['a', 'b']),
          random.pick(['high', 'normal', 'low'] as const),
        ];
        const count = random.between(1, 20);
        // Rows that a run of one text and as many overheads weighs as much as.
        const line = 'x'.repeat(10);
        const taken = runs.offer({ tenantId, priority, count, line: line.repeat(count) });
        const before = rows.rows;
        const isTaken = Array.from({ length: count }, () => rows.offer(rowOf(tenantId, priority, line)));
        expect({ seed, taken }).toEqual({ seed, taken: isTaken.every(Boolean) });
        expect({ seed, rows: runs.rows }).toEqual({ seed, rows: before + (taken ? count : 0) });
        // Both have to hold the same for the next.
        if (!taken) break;
      }
    }
  });

  it('takes at least one row out, however large', () => {
    const ring = new Ring(limits);
    ring.offer(rowOf('a', 'normal', 'x'.repeat(5_000)));
    expect(ring.take(1_000, 100)).toHaveLength(1);
    expect([ring.rows, ring.fill]).toEqual([0, 0]);
  });

  it('gives each row once, those of a tenant in order, and never holds more than it may', () => {
    const seed = Number(process.hrtime.bigint() % 1_000_000_000n);
    const random = new Random(seed);
    const ring = new Ring({ rowsMax: 300, bytesMax: 50_000 });
    const waiting = new Map<string, string[]>();
    for (let step = 0; step < 4_000; step += 1) {
      if (random.next() < 0.95) {
        const tenantId = `tenant ${random.between(1, random.pick([1, 5, 40]))}`;
        const line = `${step} ${'x'.repeat(random.between(0, 400))}`;
        if (ring.offer(rowOf(tenantId, random.pick(['high', 'normal', 'low']), line)))
          waiting.set(tenantId, [...(waiting.get(tenantId) ?? []), line]);
      } else {
        for (const { tenantId, line } of ring.take(random.between(1, 200), random.between(100, 40_000)))
          expect({ seed, line }).toEqual({ seed, line: waiting.get(tenantId)?.shift() });
      }
      const rows = [...waiting.values()].reduce((sum, lines) => sum + lines.length, 0);
      if (ring.rows !== rows || ring.fill > 1)
        throw new Error(`seed ${seed}, step ${step}: ${ring.rows}, ${rows}`);
    }
    const left = ring.take(Infinity, Infinity).length;
    expect({ seed, left }).toEqual({ seed, left: [...waiting.values()].flat().length });
    expect(ring.fill).toBe(0);
  });
});
