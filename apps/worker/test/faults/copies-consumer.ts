import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { BatchRefused, Consumer, type RecordedEvent, type StoreConsumer } from '@holdfast/events';

/** A batch as the store keeps it. */
interface Copy {
  readonly token: string;
  readonly events: readonly { readonly id: string; readonly stream: string; readonly version: string }[];
}

/**
 * A store outside PostgreSQL that keeps what it is sent in a file, one line a batch, and refuses some. Its readers drop
 * batches whose token they have seen, and nothing else: an event that comes in other company comes twice.
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

  /** `refusing` is the share of batches that it refuses, having stored nothing of them. */
  constructor(
    private readonly file: string,
    private readonly refusing: number,
  ) {}

  async deliver(events: readonly RecordedEvent[], token: string): Promise<void> {
    if (Math.random() < this.refusing) throw new BatchRefused(new Error('on purpose'));
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
  }
}

/** What readers of the store find: ids in the order in which they came, and how many came out of their stream's order. */
export function readCopies(file: string): { readonly ids: readonly string[]; readonly inverted: number } {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const copies = new Map(lines.map((line) => JSON.parse(line) as Copy).map((copy) => [copy.token, copy]));
  const events = [...copies.values()].flatMap((copy) => copy.events);
  const next = new Map<string, bigint>();
  let inverted = 0;
  for (const { stream, version } of events) {
    if (BigInt(version) !== (next.get(stream) ?? 1n)) inverted += 1;
    next.set(stream, BigInt(version) + 1n);
  }
  return { ids: events.map(({ id }) => id), inverted };
}
