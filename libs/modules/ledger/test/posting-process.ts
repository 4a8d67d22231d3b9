import { type Caller, newId } from '@holdfast/kernel';
import { Database } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { Random } from '@holdfast/testing';
import {
  PLAIN,
  postBatch,
  type Posting,
  type PostingResult,
  type PostingTerms,
} from '../src/posting/post-batch.sql';

/** What a process is to do: so many connections post so many batches each. */
export interface PostingJob {
  readonly url: string;
  readonly caller: Caller;
  readonly seed: number;
  readonly writers: number;
  readonly batches: number;
  readonly accounts: readonly string[];
  /** Holds and transfers that are there already, and that all processes end or reverse. */
  readonly holds: readonly string[];
  readonly transfers: readonly string[];
  /** Requests that all processes make, some of them under the same id with other fields. */
  readonly contested: readonly Posting[];
}

/** A batch as it was posted, and how it was answered. */
export interface PostedBatch {
  readonly batch: readonly Posting[];
  readonly answers: readonly PostingResult[];
}

/** Items of one writer, at random. */
class Items {
  private readonly random: Random;

  constructor(
    private readonly job: PostingJob,
    seed: number,
  ) {
    this.random = new Random(seed);
  }

  /** The first is never a contested one, so that the batch can be told by a row of its own. */
  batch(): Posting[] {
    const items = Array.from({ length: this.random.between(1, 5) }, (_, place) => this.item(place === 0));
    return items.map((item, place) => {
      const isLinked = place < items.length - 1 && this.random.next() < 0.25 && !item.idGiven;
      return isLinked ? { ...item, terms: { ...item.terms, linked: true } } : item;
    });
  }

  private item(isFirst: boolean): Posting {
    const { random, job } = this;
    const draw = random.next();
    if (draw < 0.15 && !isFirst) return random.pick(job.contested);
    if (draw < 0.3) return this.follow(random.pick(['post', 'void'] as const), random.pick(job.holds));
    if (draw < 0.35) return this.follow('reversal', random.pick(job.transfers));
    const amount = BigInt(random.between(1, 60));
    const terms: PostingTerms | null =
      draw < 0.45
        ? { balancing: random.pick(['debit', 'credit', 'both'] as const), amount: String(amount) }
        : null;
    const from = random.between(0, job.accounts.length - 1);
    const to = (from + random.between(1, job.accounts.length - 1)) % job.accounts.length;
    return this.posting({
      ...{ kind: draw < 0.6 ? 'hold' : 'transfer', amount, terms },
      ...{ debitAccountId: job.accounts[from] ?? null, creditAccountId: job.accounts[to] ?? null },
    });
  }

  private follow(kind: Posting['kind'], targetId: string): Posting {
    const amount = kind === 'post' && this.random.next() < 0.5 ? BigInt(this.random.between(1, 12)) : 0n;
    return this.posting({ kind, targetId, amount, terms: amount > 0n ? { amount: String(amount) } : null });
  }

  private posting(changes: Partial<Posting>): Posting {
    return {
      ...{ ...PLAIN, caller: this.job.caller, id: newId(), idGiven: false, idempotencyKey: null },
      ...{ debitAccountId: null, creditAccountId: null, amount: 0n, metadata: {} },
      ...changes,
    };
  }
}

async function work(job: PostingJob): Promise<PostedBatch[]> {
  const database = new Database({ url: job.url, name: 'posting', connectionsMax: job.writers });
  const tenants = new TenantDatabase(database);
  const posted: PostedBatch[] = [];
  const write = async (writer: number): Promise<void> => {
    const items = new Items(job, job.seed * 1_000 + writer);
    for (let n = 0; n < job.batches; n += 1) {
      const batch = items.batch();
      const answers = await tenants.transaction(job.caller, (tx) => postBatch(tx, batch));
      posted.push({ batch, answers });
    }
  };
  try {
    await Promise.all(Array.from({ length: job.writers }, (_, writer) => write(writer)));
    return posted;
  } finally {
    await database.close();
  }
}

process.once('message', (job: PostingJob) => {
  void work(job).then(
    (posted) => process.send?.(posted, () => process.disconnect()),
    (error: unknown) => process.send?.(String(error), () => process.disconnect()),
  );
});
