import { z } from 'zod';

/** One field that an event changed. */
export const differenceView = z
  .object({
    pointer: z.string().meta({ description: 'JSON Pointer (RFC 6901) of the field.' }),
    before: z.unknown().optional().meta({ description: 'Its value before; left out where there was none.' }),
    after: z.unknown().optional().meta({ description: 'Its value after; left out where there is none.' }),
  })
  .meta({ description: 'One field that was changed.' });
