import { randomUUID } from 'node:crypto';
import { appendToTiles, edgeAfter, type Tile } from './append-to-tiles';
import { canonicalJson } from './canonical-json';
import { checkTiles } from './check-tiles';
import { formatCheckpoint } from './checkpoint';
import { Frontier } from './frontier';
import { leafHash } from './hashing';
import { generateSignerKey } from './note-keys';
import { openNote, signNote } from './signed-note';
import { consistencyProof, inclusionProof, rootFromTiles } from './tile-proofs';
import type { TileReader } from './tile-reader';

/** What one core does, in microseconds for each. */
export interface TlogFigures {
  readonly eventBytes: number;
  readonly steps: readonly { readonly step: string; readonly microseconds: number }[];
}

const EVENTS = 50_000;
/** Leaves of the log that proofs are made from. */
const LEAVES = 1_000_000;
const PROOFS = 1_000;
const SIGNATURES = 1_000;
/** Events that the sealer takes at a time. */
const BATCH = 500;
/** The best of so many rounds: what else the machine does only ever adds. */
const ROUNDS = 5;

/** An event of the size that the ledger writes: about 550 bytes, with two levels of objects. */
const eventOf = (index: number): Record<string, unknown> => ({
  v: 1,
  position: String(1_000_000 + index),
  id: randomUUID(),
  tenantId: randomUUID(),
  stream: { type: 'ledger.transfer', id: randomUUID(), version: 1 },
  type: 'ledger.transfer.posted',
  schema: 1,
  occurredAt: '2026-11-26T20:00:00.123456Z',
  actor: { kind: 'user', id: randomUUID() },
  requestId: randomUUID(),
  causationId: randomUUID(),
  payload: { debit: 'cash', credit: 'sales', amount: '12345', asset: 'EUR', memo: 'Nº 17', code: index % 7 },
});

async function measure(
  step: string,
  count: number,
  run: () => unknown,
): Promise<TlogFigures['steps'][number]> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    await run();
    best = Math.min(best, performance.now() - startedAt);
  }
  return { step, microseconds: (best * 1000) / count };
}

/** All that sealing does but for reading, writing and signing: both roots are computed and have to be the same. */
async function seal(events: readonly unknown[]): Promise<void> {
  const frontier = Frontier.empty();
  const tiles = new Map<string, Buffer>();
  let edge: Tile[] = [];
  for (let from = 0; from < events.length; from += BATCH) {
    const hashes = events.slice(from, from + BATCH).map((event) => leafHash(canonicalJson(event)));
    for (const hash of hashes) frontier.append(hash);
    const changed = appendToTiles(from, edge, hashes);
    edge = edgeAfter(edge, changed);
    for (const { level, index, hashes: content } of changed) tiles.set(`${level}/${index}`, content);
    const root = await rootFromTiles(readerOf(tiles), frontier.size);
    if (!root.equals(frontier.root())) throw new Error('The two roots differ');
  }
}

const readerOf = (tiles: ReadonlyMap<string, Buffer>): TileReader => ({
  readTiles: async (wanted) =>
    await Promise.resolve(
      wanted.map(({ level, index }) => tiles.get(`${level}/${index}`) ?? Buffer.alloc(0)),
    ),
});

async function benchSealing(events: readonly unknown[]): Promise<TlogFigures['steps']> {
  const texts = events.map(canonicalJson);
  const hashes = texts.map(leafHash);
  return [
    await measure('canonical JSON of an event', EVENTS, () => events.map(canonicalJson)),
    await measure('leaf hash of its text', EVENTS, () => texts.map(leafHash)),
    await measure('leaf appended to the frontier', EVENTS, () => {
      const frontier = Frontier.empty();
      for (const hash of hashes) frontier.append(hash);
    }),
    await measure('leaf appended to tiles', EVENTS, () => appendToTiles(0, [], hashes)),
    await measure(`all of it, in batches of ${BATCH}, with both roots of each`, EVENTS, () => seal(events)),
  ];
}

async function benchProofs(): Promise<TlogFigures['steps']> {
  const hashes = Array.from({ length: LEAVES }, (_, index) => leafHash(`${index}`));
  const tiles = new Map(
    appendToTiles(0, [], hashes).map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]),
  );
  const reader = readerOf(tiles);
  // A prime, so that places are spread over the log.
  const places = Array.from({ length: PROOFS }, (_, index) => 1 + ((index * 7_919_317) % (LEAVES - 1)));
  return [
    await measure('inclusion proof from 1,000,000 leaves', PROOFS, async () => {
      for (const place of places) await inclusionProof(reader, place, LEAVES);
    }),
    await measure('consistency proof from 1,000,000 leaves', PROOFS, async () => {
      for (const place of places) await consistencyProof(reader, place, LEAVES);
    }),
    await measure('all tiles of 1,000,000 leaves checked, for each leaf', LEAVES, () =>
      checkTiles(reader, LEAVES),
    ),
  ];
}

async function benchNotes(): Promise<TlogFigures['steps']> {
  const key = generateSignerKey('example.com/log');
  const text = formatCheckpoint({ origin: key.name, size: LEAVES, root: leafHash('') });
  const note = signNote(text, [key]);
  const times = Array.from({ length: SIGNATURES });
  return [
    await measure('checkpoint signed', SIGNATURES, () => times.map(() => signNote(text, [key]))),
    await measure('checkpoint opened', SIGNATURES, () => times.map(() => openNote(note, [key]))),
  ];
}

/** Measures the library on one core, without a database. */
export async function benchTlog(): Promise<TlogFigures> {
  const events = Array.from({ length: EVENTS }, (_, index) => eventOf(index));
  const eventBytes = Buffer.byteLength(canonicalJson(events[0]));
  const steps = [...(await benchSealing(events)), ...(await benchProofs()), ...(await benchNotes())];
  return { eventBytes, steps };
}

/** The figures for people. */
export const formatTlogFigures = ({ eventBytes, steps }: TlogFigures): string =>
  [
    `one core, events of ${eventBytes} bytes`,
    ...steps.map(({ step, microseconds }) => {
      const rate = Math.round(1e6 / microseconds).toLocaleString('en');
      return `${step}: ${microseconds.toFixed(2)} µs, ${rate}/s`;
    }),
  ].join('\n');
