import { Consumer, FetchIsolationLevels, type RecordsBatch } from '@platformatic/kafka';
import { clientOptions, type KafkaOptions } from './kafka-clients';

/** Bits of a batch's attributes and the type of a marker, as Kafka's message format 2 has them. */
const TRANSACTIONAL = 0b1_0000;
const CONTROL = 0b10_0000;
const COMMIT = 1;

/** Looked back first, then ten times as far, and so on to the topic's beginning, which compaction keeps near. */
const LOOK_BACK = 100n;
const FETCH_BYTES = 4 * 1024 * 1024;
const FETCHES_MAX = 1_000;

/**
 * The value that was last committed under the key in the first partition of a topic that only one sender writes, in
 * transactions; undefined when there is none.
 *
 * It reads markers itself instead of asking for what is committed: the client at hand loses track where one sender has given
 * up several transactions in a row, which is what a sender that is killed again and again does.
 */
export async function readCommitted(
  options: KafkaOptions,
  topic: string,
  key: string,
): Promise<string | undefined> {
  const consumer = new Consumer({ ...clientOptions(options), groupId: `${options.prefix}.positions` });
  try {
    const metadata = await consumer.metadata({ topics: [topic] });
    const { id = '', partitions = [] } = metadata.topics.get(topic) ?? {};
    const ends = await consumer.listOffsets({
      topics: [topic],
      isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    });
    const end = ends.get(topic)?.[0] ?? 0n;
    const place = { topicId: id, node: partitions[0]?.leader ?? 0 };
    for (let reach = LOOK_BACK; ; reach *= 10n) {
      const from = end > reach ? end - reach : 0n;
      const found = lastCommitted(await fetchAll(consumer, place, from, end), key);
      if (found !== undefined || from === 0n) return found;
    }
  } finally {
    consumer.close(true).catch(() => {}); // It has only read.
  }
}

async function fetchAll(
  consumer: Consumer,
  { topicId, node }: { readonly topicId: string; readonly node: number },
  from: bigint,
  end: bigint,
): Promise<RecordsBatch[]> {
  const batches: RecordsBatch[] = [];
  let next = from;
  for (let fetches = 0; next < end && fetches < FETCHES_MAX; fetches += 1) {
    const partition = {
      partition: 0,
      fetchOffset: next,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: FETCH_BYTES,
    };
    const { responses } = await consumer.fetch({
      node,
      topics: [{ topicId, partitions: [partition] }],
      isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
      maxWaitTime: 100,
      maxBytes: FETCH_BYTES,
    });
    const fetched = responses[0]?.partitions[0]?.records ?? [];
    batches.push(...fetched);
    const last = fetched.at(-1);
    // Nothing there: compaction has taken what was.
    next = last ? last.firstOffset + BigInt(last.lastOffsetDelta) + 1n : end;
  }
  return batches;
}

/** What the last commit marker covers: by sender, messages count once their marker comes, and an abort drops them. */
function lastCommitted(batches: readonly RecordsBatch[], key: string): string | undefined {
  const open = new Map<bigint, string>();
  let committed: string | undefined;
  for (const { attributes, producerId, records } of batches) {
    if (attributes & CONTROL) {
      const isCommit = records[0]?.key?.readInt16BE(2) === COMMIT;
      if (isCommit) committed = open.get(producerId) ?? committed;
      open.delete(producerId);
      continue;
    }
    const value = records.findLast((record) => record.key?.toString() === key)?.value?.toString();
    if (value === undefined) continue;
    if (attributes & TRANSACTIONAL) open.set(producerId, value);
    else committed = value;
  }
  return committed;
}
