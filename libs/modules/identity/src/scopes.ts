import { PERMISSION_NAMES } from '@holdfast/kernel';
import { z } from 'zod';

/** A permission, or `*` for all of them, also those that are added later. */
export const scopeSchema = z.enum(['*', ...PERMISSION_NAMES]);
