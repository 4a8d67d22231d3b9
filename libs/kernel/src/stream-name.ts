import { z } from 'zod';

/** How callers name a stream of events: its type and its id, as `ledger.transfer/<uuid>`. */
export const streamNameSchema = z
  .string()
  .max(200)
  .regex(
    /^[a-z][a-z0-9_.]*\/[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
    'A stream is a type and an id, such as ledger.transfer/<uuid>.',
  );
