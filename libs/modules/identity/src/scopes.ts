import { z } from 'zod';

/** Everything that a credential can be allowed to do; `*` stands for all of it, also for what is added later. */
export const SCOPES = [
  '*',
  'tenant:read',
  'keys:read',
  'keys:write',
  'ledger:read',
  'ledger:write',
  'audit:read',
  'telemetry:read',
] as const;

/** One of the scopes. */
export const scopeSchema = z.enum(SCOPES);
