import type { Report } from '@holdfast/events';
import { type Refusal, REFUSALS, refusedTenants } from './sealing-metrics';

/** The log of a tenant is not the one that was signed before, and is not signed any further. */
export class LogRefused extends Error {
  override readonly name = 'LogRefused';

  constructor(
    readonly reason: Refusal,
    message: string,
  ) {
    super(message);
  }
}

/** A refused log is looked at again after so long, in milliseconds: an operator may have put it right. */
const AGAIN_MS = 60_000;

/** Tenants that are left out, so that the others go on. */
export class Refusals {
  private readonly refused = new Map<string, { readonly reason: Refusal; readonly sinceMs: number }>();

  constructor(private readonly report: Report) {}

  get tenantIds(): string[] {
    return [...this.refused.keys()];
  }

  get size(): number {
    return this.refused.size;
  }

  has(tenantId: string): boolean {
    return this.refused.has(tenantId);
  }

  /** Leaves the tenant out, and says why. */
  refuse(tenantId: string, refused: LogRefused): void {
    this.refused.set(tenantId, { reason: refused.reason, sinceMs: performance.now() });
    this.report(refused, `sealing the log of tenant ${tenantId}`);
    this.show();
  }

  /** Does `work` for a tenant; a log that it refuses is left out. Answers undefined then. */
  guard<T>(tenantId: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      return this.accept(tenantId, error);
    }
  }

  /** The same for work that takes time. */
  async guardAsync<T>(tenantId: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      return this.accept(tenantId, error);
    }
  }

  /** Whether the oldest refusal is due to be looked at again: then all are forgotten. */
  expire(): boolean {
    const [oldest] = this.refused.values();
    if (!oldest || performance.now() - oldest.sinceMs < AGAIN_MS) return false;
    this.refused.clear();
    return true;
  }

  private accept(tenantId: string, error: unknown): undefined {
    if (!(error instanceof LogRefused)) throw error;
    this.refuse(tenantId, error);
    return undefined;
  }

  private show(): void {
    const counted = [...this.refused.values()];
    for (const reason of REFUSALS)
      refusedTenants.set({ reason }, counted.filter((each) => each.reason === reason).length);
  }
}
