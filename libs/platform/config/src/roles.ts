import { createHmac } from 'node:crypto';

/** The roles that log in, and the variable in which each one's connection string is given. */
export const roleVariables = {
  holdfast_app: 'DATABASE_URL',
  holdfast_auth: 'DATABASE_AUTH_URL',
  holdfast_ops: 'DATABASE_OPS_URL',
  holdfast_relay: 'DATABASE_RELAY_URL',
  holdfast_sealer: 'DATABASE_SEALER_URL',
  holdfast_jobs: 'DATABASE_JOBS_URL',
} as const;

/** A role of PostgreSQL that a process logs in as. */
export type LoginRole = keyof typeof roleVariables;

/** Every role that a process logs in as. */
export const loginRoles = Object.keys(roleVariables) as readonly LoginRole[];

/**
 * A role's password in development, where one administrator's URL is all that is configured.
 *
 * A keyed hash of the administrator's password, so that every process works out the same one and none has to store or
 * hand on another. Never in production: whoever reads a role's password could guess at the administrator's.
 */
export function developmentPassword(adminUrl: string, role: LoginRole): string {
  const adminPassword = decodeURIComponent(new URL(adminUrl).password);
  return createHmac('sha256', adminPassword).update(`holdfast development ${role}`).digest('base64url');
}

/** The administrator's connection string with a role in the administrator's place. */
export function developmentUrl(adminUrl: string, role: LoginRole): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = developmentPassword(adminUrl, role);
  return url.href;
}
