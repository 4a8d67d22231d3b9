import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** The tenant lets an issuer's claims bring people in. Which claims stands in the row. */
export const issuerAdded = eventType('identity.issuer.added', 1, z.object({}));

/** What an issuer's claims give was changed. */
export const issuerChanged = eventType('identity.issuer.changed', 1, z.object({}));

/** An issuer's claims give nothing any more. */
export const issuerRemoved = eventType('identity.issuer.removed', 1, z.object({}));
