/** An event in the log, by what whoever committed it knows of it. */
export interface CommittedEvent {
  /** Left out where an earlier request wrote it and only its stream is known; nothing else stands there with this type. */
  readonly id?: string;
  readonly type: string;
  /** The version in decimal digits; left out where only the database knows it. */
  readonly stream: { readonly type: string; readonly id: string; readonly version?: string };
  /** SHA-256 of the payload's canonical JSON in base64url; left out where only the database knows the payload. */
  readonly dataSha256?: string;
}

/**
 * The events that a request has committed, by tenant: whatever commits for the request adds to them, behind the commit, and
 * its answer carries a receipt for them.
 */
export class CommittedEvents {
  private readonly events = new Map<string, CommittedEvent[]>();

  add(tenantId: string, committed: readonly CommittedEvent[]): void {
    if (committed.length === 0) return;
    const known = this.events.get(tenantId);
    if (known) known.push(...committed);
    else this.events.set(tenantId, [...committed]);
  }

  /** What there is so far, in the order in which it was added. */
  get byTenant(): ReadonlyMap<string, readonly CommittedEvent[]> {
    return this.events;
  }
}
