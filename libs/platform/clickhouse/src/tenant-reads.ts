import { DomainError } from '@holdfast/kernel';

/** As many reads of the tenant are under way and waiting as one tenant may have, or none of them ended within a moment. */
export class TooManyReads extends DomainError {
  readonly code = 'telemetry.too_many_reads';
  readonly kind = 'too_many';
  override readonly retryAfterSeconds = 1;

  constructor() {
    super('Too many telemetry queries of this tenant are under way. Send fewer at a time.');
  }
}

/** A quarter of a process's places: three tenants who ask for all they may leave some to others. */
const UNDER_WAY_MAX = 5;
/** A page of figures asks for about a dozen at once. */
const WAITING_MAX = 20;
/** Long enough for the reads of such a page, and short beside the deadline of a read, which begins with its place. */
const WAIT_MAX_MS = 1_500;

interface Share {
  underWay: number;
  /** In the order in which they came; whoever takes one out of the set tells it how the waiting has ended. */
  readonly waiting: Set<(hasPlace: boolean) => void>;
}

/** A share of a process's reads for each tenant, so that one that asks without end is refused itself, and not everybody. */
export class TenantReads {
  private readonly shares = new Map<string, Share>();

  /** Runs a read that takes a place of the tenant's; throws TooManyReads when there is none within a moment. */
  async run<T>(tenantId: string, read: () => Promise<T>): Promise<T> {
    const share = this.shares.get(tenantId) ?? { underWay: 0, waiting: new Set() };
    this.shares.set(tenantId, share);
    await takePlace(share);
    try {
      return await read();
    } finally {
      this.leave(tenantId, share);
    }
  }

  /** Hands the place to the first who waits. */
  private leave(tenantId: string, share: Share): void {
    const [next] = share.waiting;
    if (next) {
      share.waiting.delete(next);
      next(true);
      return;
    }
    share.underWay -= 1;
    if (share.underWay === 0) this.shares.delete(tenantId);
  }
}

async function takePlace(share: Share): Promise<void> {
  if (share.underWay < UNDER_WAY_MAX) {
    share.underWay += 1;
    return;
  }
  if (share.waiting.size >= WAITING_MAX) throw new TooManyReads();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  share.waiting.add(resolve);
  const timer = setTimeout(() => {
    if (share.waiting.delete(resolve)) resolve(false);
  }, WAIT_MAX_MS);
  const hasPlace = await promise;
  clearTimeout(timer);
  if (!hasPlace) throw new TooManyReads();
}
