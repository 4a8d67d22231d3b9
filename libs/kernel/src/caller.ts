import type { CommittedEvents } from './committed-events';
import type { Deadline } from './deadline';
import type { Scope } from './permissions';

/**
 * Who acts, for which tenant, and why: everything that a transaction, an event and a log line need to know.
 *
 * `grant` is the database's signed word for `tenantId`, `actor`, `scopes`, `plan` and `act`; those are copies for display
 * and early refusals. Only the grant opens a transaction, so a wrong copy can mislead a log line and nothing else.
 */
export interface Caller {
  readonly grant: string;
  readonly tenantId: string;
  readonly actor: string;
  /** The permissions that the caller holds; `*` stands for every one. */
  readonly scopes: readonly string[];
  /** The name of the tenant's plan; see `planOf`. */
  readonly plan: string;
  /** The operator who acts for the tenant, as `operator:<name>`: after RFC 8693, beside the actor and never in its place. */
  readonly act?: string | undefined;
  /** The request (or job) at the root of this work; stored on every event as its correlation id. */
  readonly requestId: string;
  /** The event that set this work off, when there is one. */
  readonly causationId?: string | undefined;
  /** W3C trace context of the work. */
  readonly traceparent?: string | undefined;
  /** Where the request's committed events are collected for its receipt; absent where nobody waits for one. */
  readonly committed?: CommittedEvents | undefined;
  /** By when the work has to be done: its transactions and calls get what is left. Absent for what goes on as long as it has to. */
  readonly deadline?: Deadline | undefined;
}

/** Whether the caller holds the scope. */
export function holds(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes('*') || caller.scopes.includes(scope);
}
