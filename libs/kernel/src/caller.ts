/** A permission such as `ledger:write`; `*` stands for every one. */
export type Scope = string;

/**
 * Who acts, for which tenant, and why: everything that a transaction, an event and a log line need to know.
 *
 * `grant` is the database's signed word for `tenantId`, `actor` and `scopes`; those three are copies for display and
 * early refusals. Only the grant opens a transaction, so a wrong copy can mislead a log line and nothing else.
 */
export interface Caller {
  readonly grant: string;
  readonly tenantId: string;
  readonly actor: string;
  readonly scopes: readonly Scope[];
  /** The request (or job) at the root of this work; stored on every event as its correlation id. */
  readonly requestId: string;
  /** The event that set this work off, when there is one. */
  readonly causationId?: string | undefined;
  /** W3C trace context of the work. */
  readonly traceparent?: string | undefined;
}

/** Whether the caller holds the scope. */
export function holds(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes('*') || caller.scopes.includes(scope);
}
