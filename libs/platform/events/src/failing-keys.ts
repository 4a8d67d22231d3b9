import type { TenantCursor } from './tenant-cursors.sql';

/** Keys that may fail in one page before the group itself is taken to be at fault. */
const FAILING_MAX = 10;

/** The keys of one page that have failed when they were delivered alone, and why. */
export class FailingKeys {
  private readonly failures = new Map<string, unknown>();
  private position = '';
  private suspect: string | undefined;

  /**
   * A page is read again. What has failed is forgotten where another worker has moved the cursor since: that was
   * another page.
   */
  begin({ fromTick, afterSeq }: Pick<TenantCursor, 'fromTick' | 'afterSeq'>): void {
    const position = `${fromTick}/${afterSeq}`;
    if (position !== this.position) this.failures.clear();
    this.position = position;
    this.suspect = undefined;
  }

  /** What fails from here on fails because of this key; undefined: it cannot be told because of which. */
  suspects(key: string | undefined): void {
    this.suspect = key;
  }

  has(key: string): boolean {
    return this.failures.has(key);
  }

  reasonFor(key: string): unknown {
    return this.failures.get(key);
  }

  /** Adds the key that is suspected; false where there is none, or too many keys have failed. */
  note(error: unknown): boolean {
    if (this.suspect === undefined || this.failures.size >= FAILING_MAX) return false;
    this.failures.set(this.suspect, error);
    return true;
  }
}
