import {
  decodeEntryBundle,
  Frontier,
  HASH_BYTES,
  leafHash,
  openNote,
  parseCheckpoint,
  parseVerifierKey,
  rootFromTiles,
  TILE_WIDTH,
  tileAt,
  type TileId,
  tilePath,
  tileReader,
  type VerifierKey,
} from '@holdfast/tlog';
import { partsOfOrigin } from './log-claims';
import type { LogFinding } from './log-finding';
import { ServedRetention } from './served-retention';

/** What came of a log that an API serves. */
export interface ServedLog {
  readonly origin: string;
  readonly size: number;
  readonly findings: readonly LogFinding[];
  /** Leaves of tiles with entries that the retention has removed, as a sealed event says: their hashes alone were verified. */
  readonly pruned: readonly { readonly from: number; readonly to: number }[];
}

/** How it is verified. */
export interface ServedLogOptions {
  /** Verifier keys that are trusted; that which the API itself names, unless said. */
  readonly keys?: readonly string[];
  readonly onTile?: (checked: number, total: number) => void;
}

/** Reads what stands under a path of the API; undefined where it was there and is gone (410). */
type Get = (path: string) => Promise<Buffer | undefined>;

const LOG = '/v1/audit/log/';
const LISTED_MAX = 1_000;
/** Tiles under way at a time. */
const LANES = 4;

/**
 * Verifies the current tree of a log over its endpoints: the checkpoint's signature, that the entries hash to the tiles, and that
 * the tiles of all levels lead to the root. It knows the log only from outside, so it sees no events without leaves.
 */
export async function verifyServedLog(ask: Get, { keys, onTile }: ServedLogOptions = {}): Promise<ServedLog> {
  const get = async (path: string): Promise<Buffer> => {
    const answer = await ask(path);
    if (!answer) throw new Error(`${path} is gone`);
    return answer;
  };
  const trusted = (keys ?? [(await get(`${LOG}key`)).toString().trim()]).map(parseVerifierKey);
  const { origin, size, root } = openCheckpoint((await get(`${LOG}checkpoint`)).toString(), trusted);
  const { epoch, tenantId } = partsOfOrigin(origin);
  const retention = new ServedRetention({ epoch, tenantId, origin, keys: trusted });
  const findings: LogFinding[] = [];
  const find = (kind: LogFinding['kind'], index: number, message: string, eventId?: string): void => {
    if (findings.length < LISTED_MAX)
      findings.push({ kind, epoch, index, ...(eventId === undefined ? {} : { eventId }), message });
  };
  const frontier = Frontier.empty();
  for (let index = 0; tileAt(size, 0, index); index += LANES) {
    const lanes = Array.from({ length: LANES }, (_, at) => tileAt(size, 0, index + at));
    const read = await Promise.all(lanes.map(async (tile) => tile && readTile(ask, tile)));
    for (const { at, hashed, entry } of read.flatMap((tile) => tile ?? [])) {
      frontier.append(hashed);
      if (entry === 'pruned') retention.miss(at);
      else if (!entry) find('missing', at, 'the entry is not served');
      else if (!leafHash(entry).equals(hashed))
        find('changed', at, 'the entry does not hash to its leaf', idOf(entry));
      else if (!retention.see(at, entry))
        find(
          'pruned',
          at,
          'it says of leaves that they were pruned, and is not the retention’s',
          idOf(entry),
        );
    }
    onTile?.(frontier.size, size);
  }
  if (!frontier.root().equals(root)) find('root', 0, 'the leaves do not lead to the root of the checkpoint');
  const reader = tileReader((level, index, width) => get(LOG + tilePath({ level, index, width })));
  if (!(await rootFromTiles(reader, size)).equals(root))
    find('tile', 0, 'the tiles do not lead to the root of the checkpoint');
  await retention.prove(get);
  for (const { from, to } of retention.unexplained())
    find(
      'missing',
      from,
      `the entries of leaves ${from} to ${to} are not served, and no sealed event says that rows are pruned`,
    );
  return { origin, size, findings, pruned: retention.explained() };
}

/** The leaves of a tile with their entries. */
async function readTile(
  get: Get,
  { index, width }: TileId,
): Promise<
  { readonly at: number; readonly hashed: Buffer; readonly entry: Uint8Array | 'pruned' | undefined }[]
> {
  const [hashes = Buffer.alloc(0), bundle] = await Promise.all([
    get(LOG + tilePath({ level: 0, index, width })),
    get(LOG + tilePath({ level: 'entries', index, width })),
  ]);
  const entries = bundle && decodeEntryBundle(bundle, width);
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, at) => ({
    at: index * TILE_WIDTH + at,
    hashed: hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
    entry: entries ? entries[at] : 'pruned',
  }));
}

function openCheckpoint(
  note: string,
  keys: readonly VerifierKey[],
): { readonly origin: string; readonly size: number; readonly root: Buffer } {
  const { origin, size, root } = parseCheckpoint(openNote(note, keys).text);
  return { origin, size: Number(size), root };
}

function idOf(entry: Uint8Array): string | undefined {
  try {
    return (JSON.parse(Buffer.from(entry).toString()) as { readonly id?: string }).id;
  } catch {
    return undefined; // What was changed may be no JSON any more.
  }
}
