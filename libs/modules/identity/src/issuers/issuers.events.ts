import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const issuerAdded = eventType('identity.issuer.added', {
  version: 1,
  description: 'The tenant lets an issuer’s claims bring people in. Which claims stands in the row.',
  schema: z.object({}),
  example: {},
});

export const issuerChanged = eventType('identity.issuer.changed', {
  version: 1,
  description: 'What an issuer’s claims give was changed.',
  schema: z.object({}),
  example: {},
});

export const issuerRemoved = eventType('identity.issuer.removed', {
  version: 1,
  description: 'An issuer’s claims give nothing any more.',
  schema: z.object({}),
  example: {},
});
