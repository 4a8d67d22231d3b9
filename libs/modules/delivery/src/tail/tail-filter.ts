import { streamNameSchema } from '@holdfast/kernel';
import type { RecordedEvent } from '@holdfast/events';
import { z } from 'zod';
import { AFTER_MAX } from './tail-cursor';

const NAMES_MAX = 20;

/** `ledger.transfer.posted`, or all that begin so: `ledger.*`. */
const nameSchema = z
  .string()
  .max(200)
  .regex(
    /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\.\*)?$/,
    'The name of a type, or the beginning of names with .* behind it.',
  );

/** From where, and which events: what both transports take. A cursor wins over `from`, so that a client can send both. */
export const tailInput = z.strictObject({
  after: z.string().max(AFTER_MAX).optional(),
  from: z.enum(['now', 'beginning']).default('now'),
  types: z.array(nameSchema).min(1).max(NAMES_MAX).optional(),
  stream: streamNameSchema.optional(),
  actor: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.')
    .optional(),
});

/** What a reader asks for. */
export type TailInput = z.output<typeof tailInput>;

/** Whether the reader wants an event; one that it does not is passed over. */
export function filterOf({ types, stream, actor }: TailInput): (event: RecordedEvent) => boolean {
  const exact = new Set(types?.filter((name) => !name.endsWith('.*')));
  const beginnings = (types ?? []).filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -1));
  const [streamType, streamId] = stream?.toLowerCase().split('/') ?? [];
  return (event) =>
    (types === undefined ||
      exact.has(event.type) ||
      beginnings.some((beginning) => event.type.startsWith(beginning))) &&
    (stream === undefined || (event.streamId === streamId && event.streamType === streamType)) &&
    (actor === undefined || event.actor === actor);
}
