import { z } from 'zod';

/** The largest amount and balance: 2^63−1 minor units, PostgreSQL's bigint. */
const AMOUNT_MAX = 9_223_372_036_854_775_807n;

/**
 * A positive amount in minor units, written as a decimal string and read as a bigint. A string, because JSON numbers
 * lose integers above 2^53; digits only, so that "1e3", "0.1", "+1", "01" and full-width digits are refused.
 */
export const amountSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,18}$/, 'An amount is a positive whole number of minor units, in decimal digits.')
  .transform((digits) => BigInt(digits))
  .refine((amount) => amount <= AMOUNT_MAX, 'An amount is at most 2^63-1.')
  .meta({ description: 'Minor units, as decimal digits.', examples: ['1234'] });

/** An asset: code and scale, such as `EUR/2` for euros in cents. */
export const assetSchema = z
  .string()
  .regex(/^[A-Z][A-Z0-9]{0,15}\/(?:[0-9]|1[0-8])$/, 'An asset is a code and a scale, such as EUR/2.')
  .meta({ description: 'Code and scale of an asset.', examples: ['EUR/2'] });
