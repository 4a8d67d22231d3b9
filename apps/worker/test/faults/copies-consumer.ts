import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { BatchRefused, Consumer, type RecordedEvent, type StoreConsumer } from '@holdfast/events';
import { FAILING_MS } from './effects-consumer';

/** A batch as the store keeps it. */
interface Copy {
  readonly token: string;
  readonly events: readonly { readonly id: string; readonly stream: string; readonly version: string }[];
}

/** The store has the batch and could not say so. */
class AnswerLost extends Error {
  override readonly name = 'AnswerLost';
}

/**
 * A store outside PostgreSQL that keeps what it is sent in a file, one line a batch, refuses some, and loses the answer to
 * others. It knows the token of the last batch and no other: an event that comes in other company, or after another batch,
 * comes twice. That is the least that a store may know.
 */
@Consumer({
  group: 'copies',
  kind: 'store',
  events: ['probe.key.moved'],
  key: 'stream',
  retry: { attemptsMax: 60, baseMs: 50, capMs: 1_000 },
  from: 'beginning',
  replay: 'never',
})
export class CopiesConsumer implements StoreConsumer {
  readonly batchMax = 100;
  readonly paceMs = 5;

  private readonly healthyAtMs = performance.now() + FAILING_MS;

  /** `refusing` is the share of batches that it refuses at first, having stored nothing of them. */
  constructor(
    private readonly file: string,
    private readonly refusing: number,
    /** The share of batches that it stores and whose answer is lost, at first. */
    private readonly losing: number,
  ) {}

  async deliver(events: readonly RecordedEvent[], token: string): Promise<void> {
    // What it has it does not refuse: a refusal says that nothing of the batch is stored.
    if (linesOf(this.file).at(-1)?.token === token) return;
    if (performance.now() < this.healthyAtMs && Math.random() < this.refusing)
      throw new BatchRefused(new Error('on purpose'));
    const copy: Copy = {
      token,
      events: events.map(({ id, streamId, streamVersion, tenantId }) => ({
        id,
        stream: `${tenantId}/${streamId}`,
        version: String(streamVersion),
      })),
    };
    // One call, so that a process that dies leaves all of a line or nothing.
    appendFileSync(this.file, `${JSON.stringify(copy)}\n`);
    if (performance.now() < this.healthyAtMs && Math.random() < this.losing)
      throw new AnswerLost('on purpose');
  }
}

/** What readers of the store find: ids in the order in which they came, and how many came out of their stream's order. */
export function readCopies(file: string): { readonly ids: readonly string[]; readonly inverted: number } {
  const events = linesOf(file).flatMap((copy) => copy.events);
  const next = new Map<string, bigint>();
  let inverted = 0;
  for (const { stream, version } of events) {
    if (BigInt(version) !== (next.get(stream) ?? 1n)) inverted += 1;
    next.set(stream, BigInt(version) + 1n);
  }
  return { ids: events.map(({ id }) => id), inverted };
}

function linesOf(file: string): readonly Copy[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  return lines.map((line) => JSON.parse(line) as Copy);
}
