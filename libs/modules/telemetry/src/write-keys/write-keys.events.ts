import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const writeKeyCreated = eventType('telemetry.write_key.created', {
  version: 1,
  description: 'A key was made that telemetry is sent with. Its name stays in its row.',
  schema: z.object({}),
  example: {},
});

export const writeKeyRevoked = eventType('telemetry.write_key.revoked', {
  version: 1,
  description: 'A write key was ended; every ingest that reaches the API refuses it within a minute.',
  schema: z.object({}),
  example: {},
});
