import type { Caller } from '@holdfast/kernel';
import { LRUCache } from 'lru-cache';

const TENANTS_MAX = 10_000;
const FRESH_MS = 5_000;

/** Which tenants want recorded what their members do. */
export class WantedActivity {
  private readonly answers = new LRUCache<string, { readonly isWanted: boolean; freshUntilMs: number }>({
    max: TENANTS_MAX,
  });

  /** `ask` reads what the caller's tenant has decided; `freshMs` is how long that is not asked again. */
  constructor(
    private readonly ask: (caller: Caller) => Promise<boolean>,
    private readonly freshMs = FRESH_MS,
  ) {}

  /** What the tenant has decided. Where that cannot be read, what was last read; undefined where nothing was. Never rejects. */
  async by(caller: Caller): Promise<boolean | undefined> {
    const last = this.answers.get(caller.tenantId);
    if (last && Date.now() < last.freshUntilMs) return last.isWanted;
    try {
      const isWanted = await this.ask(caller);
      this.answers.set(caller.tenantId, { isWanted, freshUntilMs: Date.now() + this.freshMs });
      return isWanted;
    } catch {
      // A database that is away is not asked for each batch.
      if (last) last.freshUntilMs = Date.now() + this.freshMs;
      return last?.isWanted;
    }
  }
}
