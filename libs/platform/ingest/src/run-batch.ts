import type { RowRun, TelemetryBatch, TelemetryRow } from './telemetry-sink';
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
