import { type RowRun, runsOf, type TelemetryBatch, type TelemetryRow } from './telemetry-sink';
import { jsonOf } from './tracked-line';

/** A batch of tracked events that came in runs; its rows are told apart, and written as JSON, when somebody asks for them. */
export class RunBatch implements TelemetryBatch {
  readonly table = 'tracked';
  private apart: readonly TelemetryRow[] | undefined;

  constructor(
    readonly token: string,
    readonly runs: readonly RowRun[],
  ) {}

  get rows(): readonly TelemetryRow[] {
    this.apart ??= this.runs.flatMap((run) => (run.count === undefined ? run : rowsOf(run)));
    return this.apart;
  }
}

function rowsOf({ tenantId, priority, line }: RowRun): TelemetryRow[] {
  return line.split('\n').map((one) => ({ tenantId, priority, line: jsonOf(one) }));
}

export function rowCount(batch: TelemetryBatch): number {
  return runsOf(batch).reduce((sum, { count = 1 }) => sum + count, 0);
}

/**
 * Tokens follow from that of the whole, so that halves are known again as well. Runs stay together as long as there are several: to
 * write rows as JSON takes 3 µs each, during which nobody is answered.
 */
export function halvesOf(batch: TelemetryBatch): TelemetryBatch[] {
  const { table, token, runs = [] } = batch;
  const [first, second] = [`${token}.0`, `${token}.1`];
  if (runs.length > 1) {
    const half = Math.ceil(runs.length / 2);
    return [new RunBatch(first, runs.slice(0, half)), new RunBatch(second, runs.slice(half))];
  }
  const { rows } = batch;
  const half = Math.ceil(rows.length / 2);
  return [
    { table, token: first, rows: rows.slice(0, half) },
    { table, token: second, rows: rows.slice(half) },
  ];
}

/** The rows of some tenants, and those of all others, of which there may be none. */
export function sharedOut(
  batch: TelemetryBatch,
  isOneOf: (tenantId: string) => boolean,
): [TelemetryBatch, TelemetryBatch | undefined] {
  const { table, token } = batch;
  const part = (are: boolean): TelemetryBatch => {
    const isPart = ({ tenantId }: TelemetryRow): boolean => isOneOf(tenantId) === are;
    return batch.runs
      ? new RunBatch(token, batch.runs.filter(isPart))
      : { table, token, rows: batch.rows.filter(isPart) };
  };
  const others = part(false);
  return [part(true), runsOf(others).length > 0 ? others : undefined];
}
