import { NotFound } from '@holdfast/kernel';
import { z } from 'zod';

/** Which epoch of the log is meant; none for the current one. */
export interface OfEpoch {
  readonly epoch?: string | undefined;
}

/** PostgreSQL's int. */
const EPOCH_MAX = 2 ** 31 - 1;

/** An epoch in a path. What is none is answered like one that the log does not have. */
export const epochSchema = z
  .string()
  .max(100)
  .meta({ description: 'An epoch of the log.', examples: ['1'] });

/** The number of the epoch, null for the current one. Throws NotFound for what is no number of one. */
export function epochNumber({ epoch }: OfEpoch): number | null {
  if (epoch === undefined) return null;
  const number = /^[1-9]\d{0,9}$/.test(epoch) ? Number(epoch) : Infinity;
  if (number > EPOCH_MAX) throw new NotFound();
  return number;
}

/** A size of a tree, or the index of a leaf, on the wire. */
export const countSchema = z
  .preprocess((value) => (/^\d{1,16}$/.test(String(value)) ? Number(value) : value), z.int().min(0))
  .meta({ type: 'integer', minimum: 0 });
