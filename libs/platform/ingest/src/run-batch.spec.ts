import { PackedRun } from './packed-run';
import { halvesOf, RunBatch, rowCount, sharedOut } from './run-batch';
import { runsOf, type TelemetryBatch } from './telemetry-sink';

const COLUMNS = Array.from({ length: 14 }, (_, place) => (place > 11 ? '{}' : '0')).join('\t');
const runOf = (tenantId: string, rows: number): PackedRun =>
  new PackedRun(
    tenantId,
    'normal',
    Array.from({ length: rows }, () => COLUMNS),
  );
const shapeOf = (batch: TelemetryBatch): [string, string] => [
  batch.token,
  runsOf(batch)
    .map(({ tenantId, count }) => `${tenantId}${count ?? ''}`)
    .join(' '),
];

describe('A batch of runs', () => {
  it('is halved between runs while there are several, and then between rows, each half with a token that follows', () => {
    const [first, second] = halvesOf(new RunBatch('t', [runOf('a', 2), runOf('b', 3), runOf('a', 1)]));
    expect([first, second].map((half) => half && shapeOf(half))).toEqual([
      ['t.0', 'a2 b3'],
      ['t.1', 'a1'],
    ]);
    const halves = halvesOf(new RunBatch('t.0', [runOf('b', 3)]));
    expect(halves.map(shapeOf)).toEqual([
      ['t.0.0', 'b b'],
      ['t.0.1', 'b'],
    ]);
    expect(halves.map(rowCount)).toEqual([2, 1]);
  });

  it('is shared out by tenant and keeps its token, and nothing is left where all are of one', () => {
    const batch = new RunBatch('t', [runOf('a', 2), runOf('b', 3), runOf('a', 1)]);
    const shapes = sharedOut(batch, (tenantId) => tenantId === 'a').map((part) => part && shapeOf(part));
    expect(shapes).toEqual([
      ['t', 'a2 a1'],
      ['t', 'b3'],
    ]);
    expect(sharedOut(batch, () => true)[1]).toBeUndefined();
  });
});
