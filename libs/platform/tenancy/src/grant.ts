import type { Caller } from '@holdfast/kernel';

/** What a signed grant says, read from its text. The layout is that of prisma/migrations/…_extend_grants. */
export interface Grant {
  readonly signed: string;
  readonly tenantId: string;
  readonly actor: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number;
  /** The name of the tenant's plan. */
  readonly plan: string;
  /** The operator who acts for the tenant. */
  readonly act?: string;
}

/** timestamptz_send counts microseconds from 2000-01-01. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

/**
 * Reads a grant that the database has just minted. Nothing is verified here: the text decides what a log line or an
 * early refusal says, and the database verifies the signature whenever the grant opens a transaction.
 */
export function readGrant(signed: string): Grant {
  const [actor = '', scopes = '', , act = '', plan = ''] = signed.slice(120).split('|');
  return {
    signed,
    tenantId: signed.slice(68, 104),
    actor,
    scopes: scopes === '' ? [] : scopes.split(' '),
    expiresAtMs: POSTGRES_EPOCH_MS + Number(`0x${signed.slice(104, 120)}`) / 1_000,
    plan: plan || 'standard',
    ...(act && { act }),
  };
}

/** The caller that a grant makes of a request or job. */
export function callerOf(
  grant: Grant,
  origin: Pick<Caller, 'requestId' | 'traceparent' | 'causationId' | 'committed' | 'deadline'>,
): Caller {
  return {
    grant: grant.signed,
    tenantId: grant.tenantId,
    actor: grant.actor,
    scopes: grant.scopes,
    plan: grant.plan,
    ...(grant.act !== undefined && { act: grant.act }),
    ...origin,
  };
}
