import { atOnce } from '../src/pieces';
import { encodeFrame, rowsIn } from '../src/spill-frame';
import type { TelemetryBatch } from '../src/telemetry-sink';

/** The frames of a segment of these batches, as a spill writes them: at least one. */
export function framesOf(batches: readonly TelemetryBatch[]): [Buffer, ...Buffer[]] {
  let before = 0;
  return batches.map((batch) => {
    const frame = atOnce(encodeFrame(batch, before));
    for (const rows of rowsIn([batch]).values()) before += rows;
    return frame;
  }) as [Buffer, ...Buffer[]];
}
