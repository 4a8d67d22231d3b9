import type { ReplayFrom } from '@holdfast/events';
import { instantSchema } from '@holdfast/kernel';
import { z } from 'zod';

const tickSchema = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,17})$/)
  .meta({ description: 'A position in the log, in decimal.', examples: ['0'] });

/** Where a replay is to begin: at the first event, behind a tick, or with what was committed after an instant. */
export const replayFromSchema = z.union([
  z.literal('beginning'),
  z.strictObject({ tick: tickSchema }),
  z.strictObject({ at: instantSchema }),
]);

/** The same for those who look ticks up. */
export function replayFrom(asked: z.output<typeof replayFromSchema>): ReplayFrom {
  if (asked === 'beginning') return asked;
  return 'tick' in asked ? { tick: BigInt(asked.tick) } : { at: new Date(asked.at) };
}
