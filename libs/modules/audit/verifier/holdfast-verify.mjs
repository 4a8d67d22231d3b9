#!/usr/bin/env node
/**
 * Verifies what the audit log of a Holdfast tenant gave out: an audit bundle (format: FORMAT.md beside this file) or the
 * proof of one event. It asks no server and uses none of Holdfast's code: this file, Node 20.12 or newer, and the
 * public key of the log are enough.
 *
 *   node holdfast-verify.mjs FILE --key KEY [--key KEY]… [--against FILE]… [--witness KEY]… [--quorum N] [--json]
 *
 *   FILE             an audit bundle (.ndjson or .ndjson.gz), or a proof (.tlog-proof)
 *   --key KEY        verifier key of the log, as GET /v1/audit/log/key gives it; after a rotation, each that has signed
 *   --against FILE   a bundle or a checkpoint that you kept from earlier: the log has to continue it
 *   --receipt FILE   with a bundle: Holdfast-Receipt headers that you kept, one a line; their events have to be in it
 *   --receipt-key FILE     the keys that signed them, as GET /v1/audit/receipt-keys gives one or a page of them
 *   --receipt-events FILE  the lines of events (FORMAT.md) of a receipt that has no more than their number and root
 *   --witness KEY    verifier key of a witness whose cosignatures count
 *   --quorum N       so many of them have to have cosigned the newest checkpoint (all, unless said)
 *   --json           print the report as JSON
 *
 * Ends with 0 if everything holds, with 1 if something does not, with 2 if it was called wrongly.
 *
 * Written from the specifications: RFC 6962 (hashes), RFC 8785 (canonical JSON), and of C2SP signed-note, tlog-checkpoint,
 * tlog-tiles, tlog-cosignature and tlog-proof.
 */
import { createPublicKey, hash, verify } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';

const TILE_WIDTH = 256;
const HASH_BYTES = 32;
/** No line of a bundle is longer: an event of the log has at most 1 MiB, and escapes make it longer. */
const LINE_MAX = 16 * 1024 * 1024;
/** So many findings, notes and redactions are listed; all of them are counted. */
const LISTED_MAX = 1_000;
/** Who removes rows of old events, and says so in the log. */
const PRUNER = 'system:pruner';
const NIL = '00000000-0000-0000-0000-000000000000';
/** An event is sealed seconds behind its commit; an hour is more than any transaction is open and any clock is set back. */
const OPEN_MAX_MS = 3_600_000;
const CLOCKS_APART_MS = 60_000;

// ---- Hashes: RFC 6962 ------------------------------------------------------------------------------------------

const sha256 = (...parts) => hash('sha256', Buffer.concat(parts), 'buffer');
const leafHash = (entry) => sha256(Buffer.of(0), Buffer.from(entry));
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);

/** The root of 256 hashes, or of any other power of two. */
function perfectRoot(hashes) {
  let row = hashes;
  while (row.length > 1) row = row.flatMap((left, at) => (at % 2 === 0 ? [nodeHash(left, row[at + 1])] : []));
  return row[0];
}

/** A growing tree: the roots of the perfect trees that it consists of, largest first. */
class Frontier {
  size = 0;
  #subtrees = [];

  append(leaf) {
    let right = leaf;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2)
      right = nodeHash(this.#subtrees.pop(), right);
    this.#subtrees.push(right);
    this.size += 1;
  }

  root() {
    return this.#subtrees.reduceRight((right, left) => nodeHash(left, right));
  }
}

/** The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); undefined if it has not the length that it must have. */
function rootOfInclusion(leaf, index, size, proof) {
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else root = nodeHash(root, sibling);
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

// ---- Entries: how the row of an event becomes the leaf --------------------------------------------------------

/** Fields of an entry and columns of a row, in the order of their prints. */
const FIELDS = [
  ['seq', 'seq'],
  ['xid', 'xid'],
  ['tenantId', 'tenant_id'],
  ['id', 'id'],
  ['streamType', 'stream_type'],
  ['streamId', 'stream_id'],
  ['streamVersion', 'stream_version'],
  ['type', 'type'],
  ['schemaVersion', 'schema_version'],
  ['actor', 'actor'],
  ['act', 'act'],
  ['correlationId', 'correlation_id'],
  ['causationId', 'causation_id'],
  ['traceparent', 'traceparent'],
  ['occurredAt', 'occurred_at'],
  ['data', 'data'],
];
const TEXT_MAX = 512;
const DATA_MAX = 49_152;
const DEPTH_MAX = 64;

/** Canonical JSON, RFC 8785, of a value that JSON.parse has made. */
function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(',')}}`;
}

const hexDigest = (text) => hash('sha256', text, 'hex');

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** Whether every reader of JSON reads the same from it: whole numbers up to 2^53 - 1, and 64 values within each other. */
function isPlain(text) {
  let depth = 0;
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]]/g)) {
    if (token.startsWith('"')) continue;
    if ('[{'.includes(token)) depth += 1;
    else if (']}'.includes(token)) depth -= 1;
    else if (!Number.isSafeInteger(Number(token)) || String(Number(token)) !== token) return false;
    if (depth > DEPTH_MAX) return false;
  }
  return true;
}

/** What stands in the entry for a payload, whose text PostgreSQL made. */
function payloadOf(text) {
  const isShort = Buffer.byteLength(text) <= DATA_MAX;
  if (!isPlain(text)) return isShort ? { dataText: text } : { dataTextSha256: hexDigest(text) };
  const data = JSON.parse(text);
  if (isShort) return { data };
  const form = canonical(data);
  return Buffer.byteLength(form) <= DATA_MAX ? { data } : { dataSha256: hexDigest(form) };
}

/** The entry of an event, made from its row. */
function entryOf(row) {
  const entry = { v: 1, kind: 'event', ...payloadOf(row.data) };
  for (const [field, column] of FIELDS.slice(0, -1)) {
    const value = row[column];
    if (typeof value === 'string' && Buffer.byteLength(value) > TEXT_MAX)
      entry[`${field}Sha256`] = hexDigest(value);
    else entry[field] = value;
  }
  return canonical(entry);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xed_b8_83_20 : crc >>> 1;
  return crc;
});

/** The lower half of the CRC-32 of a text. */
function printOf(value) {
  if (value === null || value === undefined) return 0;
  let crc = 0xff_ff_ff_ff;
  for (const byte of Buffer.from(String(value))) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xff_ff_ff_ff) & 0xff_ff;
}

/** The prints of type and id of a stream. */
const streamPrint = (type, id) => type * 0x1_00_00 + id;
const STREAM_TYPE_AT = 2 * FIELDS.findIndex(([field]) => field === 'streamType');

/** The fields in which a row differs from the prints that were taken of it when it was sealed. */
const changedFields = (row, prints) =>
  FIELDS.filter(([, column], at) => printOf(row[column]) !== prints.readUInt16BE(2 * at)).map(
    ([field]) => field,
  );

// ---- Notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature -------------------------------------------------

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Decodes base64; undefined for any text but the one that encoding gives. */
function base64(text) {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

const keyIdOf = (name, tagged) =>
  sha256(Buffer.from(`${name}\n`), tagged)
    .subarray(0, 4)
    .toString('hex');

/** Reads a verifier key `<name>+<key id>+<base64 of type and key>`. Throws if it is none. */
function parseKey(text) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? [];
  const tagged = encoded && base64(encoded);
  const isKnown = tagged?.length === 33 && (tagged[0] === 1 || tagged[0] === 4);
  if (!isKnown || keyIdOf(name, tagged) !== id) throw new WrongUsage(`No verifier key: ${text}`);
  const der = Buffer.concat([SPKI_PREFIX, tagged.subarray(1)]);
  return { name, id, tagged, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

/** Reads a note that is a checkpoint. Throws if it is none. */
function parseCheckpoint(note) {
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const [origin, size, root] = text.split('\n');
  const lines = note.slice(end + 2).split('\n');
  const signatures = lines.slice(0, -1).map((line) => {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = encoded && base64(encoded);
    if (!bytes || bytes.length < 5) throw new Error('its signatures are malformed');
    return { name, id: bytes.subarray(0, 4).toString('hex'), signature: bytes.subarray(4) };
  });
  const isCheckpoint = end > 0 && lines.at(-1) === '' && /^(0|[1-9]\d*)$/.test(size) && origin !== '';
  const bytes = root && base64(root);
  if (!isCheckpoint || bytes?.length !== HASH_BYTES || !Number.isSafeInteger(Number(size)))
    throw new Error('it is no checkpoint');
  return { origin, size: Number(size), root: bytes, text, signatures };
}

/**
 * Whether the log signed a checkpoint: 'good', 'bad' (a signature in the name of a given key is none), or 'unknown' (it has
 * none of a given key). The log signs with one key under a name for each tree, its origin.
 */
function logSignature({ origin, text, signatures }, keys) {
  let found = 'unknown';
  for (const { tagged, publicKey } of keys) {
    const id = keyIdOf(origin, tagged);
    const one = signatures.find((each) => each.name === origin && each.id === id);
    if (!one) continue;
    if (!verify(null, Buffer.from(text), publicKey, one.signature)) return 'bad';
    found = 'good';
  }
  return found;
}

/** The witnesses whose cosignatures are on a checkpoint, and those whose cosignature is none. */
function cosignatures({ text, signatures }, witnesses) {
  /** @type {{good: string[], bad: string[]}} */
  const found = { good: [], bad: [] };
  for (const { name, id, tagged, publicKey } of witnesses) {
    const one = signatures.find((each) => each.name === name && each.id === id);
    if (!one) continue;
    const isTimed = tagged[0] === 4 && one.signature.length === 72;
    const message = isTimed ? `cosignature/v1\ntime ${one.signature.readBigUInt64BE()}\n${text}` : text;
    const signature = isTimed ? one.signature.subarray(8) : one.signature;
    const isGood = verify(null, Buffer.from(message), publicKey, signature);
    found[isGood ? 'good' : 'bad'].push(name);
  }
  return found;
}

// ---- The report -------------------------------------------------------------------------------------------------

class WrongUsage extends Error {}

/** What was found. Only findings are faults: redactions, pruned ranges and notes are told and hold. */
class Report {
  findings = [];
  findingCount = 0;
  redactions = [];
  redactionCount = 0;
  pruned = [];
  notes = [];
  facts = {};

  find(kind, message, where = {}) {
    this.findingCount += 1;
    if (this.findings.length < LISTED_MAX) this.findings.push({ kind, ...where, message });
  }

  note(message) {
    if (this.notes.length < LISTED_MAX) this.notes.push(message);
  }

  redact(redaction) {
    this.redactionCount += 1;
    if (this.redactions.length < LISTED_MAX) this.redactions.push(redaction);
  }

  /**
   * The report as JSON has it; the findings in the order of the log, those without a place last. A root says of many leaves
   * that one of them is wrong, so it comes behind what names a leaf.
   */
  outcome() {
    const placeOf = ({ kind, epoch, index }) => [
      epoch ?? Infinity,
      kind === 'root' ? 1 : 0,
      index ?? Infinity,
    ];
    const findings = this.findings.toSorted((one, other) => {
      const [before, after] = [placeOf(one), placeOf(other)];
      const at = before.findIndex((each, place) => each !== after[place]);
      return at < 0 ? 0 : before[at] - after[at];
    });
    const { findingCount, redactions, redactionCount, pruned, notes, facts } = this;
    return {
      intact: findingCount === 0,
      ...facts,
      findings,
      findingCount,
      redactions,
      redactionCount,
      pruned,
      notes,
    };
  }
}

// ---- Trees ------------------------------------------------------------------------------------------------------

/** Streams and the versions that their events have got to, in 32 bytes a stream: a Map ends at 16 million of them. */
class StreamVersions {
  #keys = new BigUint64Array(1 << 12);
  #versions = new Float64Array(1 << 12);
  #count = 0;

  /** Stores a version and answers the one before, 0 if there was none. */
  put(stream, version) {
    const { key, at } = this.#find(stream);
    if (this.#keys[at] === 0n) this.#count += 1;
    this.#keys[at] = key;
    const before = this.#versions[at];
    this.#versions[at] = version;
    return before;
  }

  /** The version of a stream, 0 if there is none. */
  of(stream) {
    return this.#versions[this.#find(stream).at];
  }

  #find(stream) {
    if (this.#count * 2 >= this.#keys.length) this.#grow();
    const key = hash('sha256', stream, 'buffer').readBigUInt64LE() || 1n;
    return { key, at: this.#placeOf(key) };
  }

  #placeOf(key) {
    let at = Number(key % BigInt(this.#keys.length));
    while (this.#keys[at] !== 0n && this.#keys[at] !== key) at = (at + 1) % this.#keys.length;
    return at;
  }

  #grow() {
    const [keys, versions] = [this.#keys, this.#versions];
    this.#keys = new BigUint64Array(keys.length * 2);
    this.#versions = new Float64Array(keys.length * 2);
    for (const [from, key] of keys.entries()) {
      if (key === 0n) continue;
      const at = this.#placeOf(key);
      this.#keys[at] = key;
      this.#versions[at] = versions[from];
    }
  }
}

/** One epoch's tree, as its tiles and leaves go by. */
class Tree {
  /** Roots that others claim, by size. */
  claims = new Map();
  checkpoints = [];
  /** Leaves whose rows are gone: `{from, to, eventId}`; and the prints of the first of them, by index. */
  missing = [];
  gonePrints = new Map();
  /** How many they are. */
  gone = 0;
  /** Leaves whose event is there under another id. */
  renamed = new Set();
  frontier = new Frontier();
  /** Hashes of level 1 and above, made from those below; each is 32 bytes for 256 leaves. */
  levels = [[]];
  upperTiles = 0;
  tile = { index: -1, hashes: [], taken: 0 };
  /** The last size whose root was claimed and is right, and the event of the leaf behind it. */
  sound = { size: 0, eventId: undefined };

  constructor({ number, entry, size, prunedTo }, report) {
    Object.assign(this, { number, entry, size: Number(size), prunedTo: Number(prunedTo), report });
    // Throws if it is no JSON.
    this.previous = JSON.parse(entry).previous;
  }

  claim(size, root, by) {
    this.claims.set(size, [...(this.claims.get(size) ?? []), { root, by }]);
  }

  find(kind, message, index, more = {}) {
    this.report.find(kind, message, { epoch: this.number, index, ...more });
  }

  /** Takes a tile of level 0, whose leaves come next. */
  takeTile(index, hashes) {
    const width = Math.min(TILE_WIDTH, this.size - index * TILE_WIDTH);
    if (index !== this.tile.index + 1 || hashes.length !== width)
      this.find('tile', `tile ${index} is not the next one, or has not ${width} hashes`, index * TILE_WIDTH);
    this.tile = { index, hashes, taken: 0 };
    if (hashes.length === TILE_WIDTH) this.#raise(1, perfectRoot(hashes));
  }

  #raise(level, hashed) {
    const row = (this.levels[level] ??= []);
    row.push(hashed);
    if (row.length % TILE_WIDTH === 0) this.#raise(level + 1, perfectRoot(row.slice(-TILE_WIDTH)));
  }

  /** Takes a tile of a higher level, which has to be what the tiles below give. */
  takeUpperTile(level, index, hashes) {
    this.upperTiles += 1;
    const made = (this.levels[level] ?? []).slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
    const at = made.findIndex((each, place) => !hashes[place]?.equals(each));
    if (at < 0 && hashes.length === made.length) return;
    const leaf = (index * TILE_WIDTH + Math.max(at, 0)) * TILE_WIDTH ** level;
    this.find(
      'tile',
      `tile ${index} of level ${level} is not made of the tiles below it, from leaf ${leaf} on`,
      leaf,
    );
  }

  /** The next leaf's hash, as the tile has it, goes into the tree; whoever claims a root of this size is compared. */
  append(hashed, eventId) {
    // Leaf 0 is no event's.
    if (this.frontier.size === Math.max(this.sound.size, 1)) this.sound.eventId = eventId;
    this.frontier.append(hashed);
    const claims = this.claims.get(this.frontier.size);
    if (!claims) return;
    const root = this.frontier.root();
    const wrong = claims.filter((each) => !each.root.equals(root));
    for (const { by } of wrong) this.#findRoot(by);
    if (wrong.length === 0) this.sound = { size: this.frontier.size, eventId: undefined };
  }

  #findRoot(by) {
    const { size, eventId } = this.sound;
    const last = this.frontier.size - 1;
    this.find(
      'root',
      `${by}: its root is not that of these leaves; one of ${size} to ${last} was changed`,
      size,
      { eventId },
    );
  }

  noteMissing(index, eventId, prints) {
    this.gone += 1;
    if (this.gonePrints.size < LISTED_MAX) this.gonePrints.set(index, { eventId, prints });
    const last = this.missing.at(-1);
    if (last?.to === index - 1) last.to = index;
    else this.missing.push({ from: index, to: index, eventId });
    // Behind the first, the last ones say most: what is pruned comes before what may not be gone.
    if (this.missing.length > LISTED_MAX) this.missing.splice(1, 1);
  }

  /** After the last line of the tree. */
  /** `excused`: the size that the next tree names, where that is vouched for. */
  end(excused, earlier) {
    const expected = this.levels.slice(1).reduce((sum, row) => sum + Math.ceil(row.length / TILE_WIDTH), 0);
    if (this.upperTiles !== expected)
      this.find('tile', `${expected} tiles of higher levels are due, not ${this.upperTiles}`);
    if (this.frontier.size !== this.size)
      this.find(
        'cut',
        `the tree ends at leaf ${this.frontier.size}, and its size is ${this.size}`,
        this.frontier.size,
      );
    for (const [size, claims] of this.claims) {
      if (size <= this.frontier.size) continue;
      const message = `${claims[0].by} has ${size} leaves: those from ${this.frontier.size} on are gone`;
      // A restore lost them. The next epoch says so in its first leaf, and seals again what is left of them.
      if (size <= excused) this.report.note(message);
      else
        this.find('cut', message, this.frontier.size, {
          eventId: earlier?.eventAt(this.number, this.frontier.size),
        });
    }
  }
}

// ---- Bundles ----------------------------------------------------------------------------------------------------

/** The lines of a file as bytes, without their ends; the last has `isEnded` false if no newline ends it. */
async function* linesOf(chunks) {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let from = 0;
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      yield { bytes: bytes.subarray(from, end), isEnded: true };
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > LINE_MAX) throw new Error(`a line is longer than ${LINE_MAX} bytes`);
  }
  if (rest.length > 0) yield { bytes: rest, isEnded: false };
}

const hashesOf = (text) => {
  const bytes = base64(text);
  if (!bytes || bytes.length % HASH_BYTES !== 0) throw new Error('its hashes are malformed');
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
};

/** Whether a snapshot of PostgreSQL (`xmin:xmax:open,…`) shows what a transaction wrote. */
function isVisible(snapshot, xid) {
  const [xmin, xmax, open] = snapshot.split(':');
  const id = BigInt(xid);
  return id < BigInt(xmin) || (id < BigInt(xmax) && !open.split(',').includes(xid));
}

/** Commitments in a payload, by JSON pointer: `{"commitment": "<43 characters>"}` stands where a personal value would. */
function commitmentsOf(value, path = '', found = new Map()) {
  if (value === null || typeof value !== 'object') return found;
  const names = Object.keys(value);
  const { commitment } = value;
  if (names.length === 1 && typeof commitment === 'string' && /^[\w-]{43}$/.test(commitment))
    return found.set(path, commitment);
  for (const name of names)
    commitmentsOf(value[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
  return found;
}

const COLUMNS = FIELDS.map(([, column]) => column);
const HEAD = ['format', 'tenantId', 'log', 'createdAt'];
/** What lines have besides their kind; none where it is a text. */
const MEMBERS = {
  key: [],
  sealed: [],
  epoch: ['number', 'entry', 'size', 'prunedTo'],
  checkpoint: ['epoch', 'note'],
  tile: ['epoch', 'level', 'index', 'hashes'],
  leaf: ['epoch', 'index', 'eventId', 'prints', 'row'],
  disclosure: ['eventId', 'path', 'salt', 'value'],
  unsealed: ['index', 'row'],
};
/** Where lines stand. A checkpoint or an epoch behind the leaves that it speaks of would be compared with none of them. */
const ORDER = {
  format: 0,
  key: 1,
  sealed: 2,
  epoch: 3,
  checkpoint: 4,
  tile: 5,
  leaf: 5,
  disclosure: 5,
  unsealed: 5,
};
const hasMembers = (value, names) => {
  const own = Object.keys(value);
  return own.length === names.length && names.every((name) => own.includes(name));
};

/** Members of objects in a value, all together; a text has as many colons outside of strings. */
const membersIn = (value) =>
  value === null || typeof value !== 'object'
    ? 0
    : Object.values(value).reduce(
        (sum, each) => sum + membersIn(each),
        Array.isArray(value) ? 0 : Object.keys(value).length,
      );

/** Goes through a bundle once, line by line, and tells the report what does not hold. */
class Bundle {
  trees = new Map();
  streams = new StreamVersions();
  prunedTo = new Map();
  /** Checkpoints that were named last of epochs which a restore lost. */
  holes = new Map();
  counts = { lines: 0, leaves: 0, events: 0, unsealed: 0 };
  /** When the latest event with a leaf happened, and the event without one that happened first. */
  #sealedUntil = 0;
  #waiting = { at: Infinity, eventId: undefined };
  #running = Buffer.alloc(HASH_BYTES);
  #trailer = undefined;
  #tree = undefined;
  #open = undefined;
  /** An export of another tenant came in here, of which rows had been pruned; and streams that do not begin with version 1. */
  #isOfPruned = false;
  #lateBegins = [];
  /** Events that were found changed: one whose place in the log was changed is also found without a leaf. */
  #changed = new Set();
  /** Of streams the lowest version that an event without a leaf has. */
  #unsealedFrom = new StreamVersions();
  #order = 0;
  /** What the versions that streams begin with lack to 1, and the prints of such streams. */
  #late = 0;
  #lateStreams = new Set();

  constructor(options, report) {
    Object.assign(this, { options, report });
  }

  async read(chunks) {
    for await (const { bytes, isEnded } of linesOf(chunks)) {
      const text = bytes.toString();
      if (this.#trailer !== undefined) this.#fault('something stands behind the trailer');
      if (!isEnded) this.#fault('the end of the file is cut: its last line has no end');
      if (text.startsWith('{"trailer":')) this.#trailer = text;
      else this.#take(text, bytes);
    }
    this.#end();
  }

  #take(text, bytes) {
    this.counts.lines += 1;
    this.#running = sha256(this.#running, bytes, Buffer.of(10));
    try {
      const line = JSON.parse(text);
      // Members that are there twice, and blanks, give two readers two stories.
      if (JSON.stringify(line) !== text) throw new Error('it is not written as JSON.stringify writes it');
      this.#dispatch(line);
    } catch (error) {
      this.#fault(`line ${this.counts.lines} cannot be read: ${error.message}`);
    }
  }

  #fault(message) {
    this.report.find('file', message, { line: this.counts.lines });
  }

  #dispatch(line) {
    const [kind] = Object.keys(line);
    const members = this.counts.lines === 1 ? HEAD : MEMBERS[kind];
    if (!members || !hasMembers(line, this.counts.lines === 1 ? HEAD : [kind]))
      throw new Error('it is of no known kind');
    if (this.counts.lines > 1 && members.length > 0 && !hasMembers(line[kind], members))
      throw new Error('it has other members than it must have');
    if (line[kind]?.row && !hasMembers(line[kind].row, COLUMNS)) throw new Error('its row has other columns');
    if (ORDER[kind] < this.#order || (kind === 'sealed' && this.sealed !== undefined))
      throw new Error('it stands behind lines that have to come after it');
    this.#order = ORDER[kind];
    if (kind !== 'disclosure') this.#closeLeaf();
    if (this.counts.lines === 1) return this.#takeHead(line);
    if (kind === 'key') return undefined;
    if (kind === 'sealed') return void (this.sealed = line.sealed);
    if (kind === 'epoch') return this.#takeEpoch(line.epoch);
    if (kind === 'checkpoint') return this.#takeCheckpoint(line.checkpoint);
    if (kind === 'tile') return this.#takeTile(line.tile);
    if (kind === 'leaf') return this.#takeLeaf(line.leaf);
    if (kind === 'disclosure') return this.#takeDisclosure(line.disclosure);
    if (kind === 'unsealed') return this.#takeUnsealed(line.unsealed);
    throw new Error('it is of no known kind');
  }

  #takeHead({ format, tenantId, log, createdAt }) {
    if (format !== 'holdfast-audit/1') throw new Error(`its format is ${format}`);
    this.tenantId = tenantId;
    this.createdAt = createdAt;
    for (const { name } of this.options.keys) {
      if (!name.startsWith(`${log}/${tenantId}/`))
        this.report.find('signature', `the key ${name} is not of the log ${log} of tenant ${tenantId}`);
    }
  }

  #takeEpoch(epoch) {
    const last = [...this.trees.keys()].at(-1) ?? 0;
    const tree = new Tree(epoch, this.report);
    if (tree.number !== last + 1) this.#takeHole(last + 1, tree);
    this.trees.set(epoch.number, tree);
    const { v, kind, tenantId, epoch: number } = JSON.parse(epoch.entry);
    const isItsOwn = v === 1 && kind === 'epoch' && tenantId === this.tenantId && number === tree.number;
    if (!isItsOwn) tree.find('epoch', 'the first leaf is that of another log', 0);
    if ((tree.previous === null) !== (number === 1))
      tree.find('epoch', 'the first leaf names no checkpoint before it', 0);
    if (tree.previous) this.#takePrevious(tree, tree.previous);
  }

  /**
   * A database that was restored twice has nothing of the epochs that began in between. The next one vouches for that: its first
   * leaf names a checkpoint of the one before it, and that nothing of that is kept.
   */
  #takeHole(from, { number, previous }) {
    const named = previous && parseCheckpoint(previous.checkpoint);
    const isNamed = named?.origin.endsWith(`/${this.tenantId}/${number - 1}`) && previous.kept === '0';
    const isGood =
      isNamed &&
      logSignature(named, this.options.keys) !== 'bad' &&
      this.#isBehind(this.trees.get(from - 1), previous.behind);
    const which = from < number - 1 ? `epochs ${from} to ${number - 1} are` : `epoch ${from} is`;
    if (from >= number || !isGood) return this.report.find('epoch', `epoch ${from} is not there`);
    this.holes.set(number - 1, named);
    return this.report.note(
      `${which} not there: the first leaf of epoch ${number} says that a restore lost it`,
    );
  }

  /** Whether the tree in front of a hole is the one that the tree behind it names. It names none of which nothing was signed. */
  #isBehind(tree, note) {
    if (note === undefined) return (tree?.size ?? 0) === 0;
    const { origin, size, root, ...rest } = parseCheckpoint(note);
    tree?.claim(size, root, 'the first leaf behind the next hole');
    const isItsOwn = origin.endsWith(`/${this.tenantId}/${tree?.number}`) && size === tree.size;
    return isItsOwn && logSignature({ origin, ...rest }, this.options.keys) !== 'bad';
  }

  /** What the first leaf says of the epoch before: its last checkpoint, and how many of its leaves are kept. */
  #takePrevious(tree, { checkpoint, kept }) {
    const before = this.trees.get(tree.number - 1);
    const named = parseCheckpoint(checkpoint);
    if (!named.origin.endsWith(`/${this.tenantId}/${tree.number - 1}`))
      tree.find('epoch', `the first leaf names a checkpoint of ${named.origin}`, 0);
    if (logSignature(named, this.options.keys) === 'bad')
      tree.find('signature', 'the checkpoint that the first leaf names has a bad signature', 0);
    if (before && Number(kept) !== before.size)
      tree.find(
        'epoch',
        `it continues epoch ${before.number} from ${kept} leaves on, which has ${before.size}`,
        0,
      );
    before?.claim(named.size, named.root, `the first leaf of epoch ${tree.number}`);
  }

  #takeCheckpoint({ epoch, note }) {
    const tree = this.#treeOf(epoch);
    const checkpoint = parseCheckpoint(note);
    const { origin, size, root } = checkpoint;
    if (!origin.endsWith(`/${this.tenantId}/${epoch}`))
      tree.find('signature', `the checkpoint of size ${size} is one of ${origin}`, size - 1);
    if ((tree.checkpoints.at(-1)?.size ?? 0) > size) this.#fault('checkpoints are out of order');
    tree.checkpoints.push({ ...checkpoint, signed: logSignature(checkpoint, this.options.keys) });
    tree.claim(size, root, `the checkpoint of size ${size}`);
    for (const name of cosignatures(checkpoint, this.options.witnesses).bad)
      tree.find('witness', `the cosignature of ${name} on the checkpoint of size ${size} is bad`, size - 1);
  }

  #treeOf(number) {
    const tree = this.trees.get(number);
    if (!tree) throw new Error(`there is no epoch ${number}`);
    return tree;
  }

  #takeTile({ epoch, level, index, hashes: encoded }) {
    const hashes = hashesOf(encoded);
    if (this.#tree?.number !== epoch) this.#begin(this.#treeOf(epoch));
    this.#finishTile();
    const tree = this.#tree;
    if (level > 0) return tree.takeUpperTile(level, Number(index), hashes);
    tree.takeTile(Number(index), hashes);
    this.options.earlier?.compare(tree, Number(index), hashes);
    if (tree.tile.index !== 0) return undefined;
    tree.tile.taken = 1;
    if (!leafHash(tree.entry).equals(hashes[0]))
      tree.find('epoch', 'the first leaf is not the entry of this epoch', 0);
    return tree.append(hashes[0]);
  }

  #begin(tree) {
    const next = [...this.trees.keys()].find((number) => number > (this.#tree?.number ?? 0));
    if (tree.number !== next) this.#fault(`the tree of epoch ${tree.number} is out of order`);
    this.#tree = tree;
    for (const { epoch, tenantId, size, root, by } of this.options.claims)
      if (epoch === tree.number && tenantId === this.tenantId) tree.claim(size, root, by);
  }

  /** Leaves whose lines are not there still count as hashes. */
  #finishTile() {
    const { tile } = this.#tree;
    for (; tile.taken < tile.hashes.length; tile.taken += 1) {
      const index = tile.index * TILE_WIDTH + tile.taken;
      this.#tree.find('missing', `the line of leaf ${index} is not there`, index);
      this.#tree.append(tile.hashes[tile.taken]);
    }
  }

  #takeLeaf({ epoch, index: text, eventId, prints: encoded, row }) {
    const tree = this.#tree;
    const { tile } = tree;
    const index = tile.index * TILE_WIDTH + tile.taken;
    if (tree.number !== epoch || String(index) !== text || tile.taken >= tile.hashes.length)
      throw new Error(`it is leaf ${text} of epoch ${epoch}, and ${index} of epoch ${tree.number} is due`);
    const hashed = tile.hashes[tile.taken];
    tile.taken += 1;
    this.counts.leaves += 1;
    tree.append(hashed, eventId);
    const prints = base64(encoded);
    if (prints?.length !== 2 * FIELDS.length) throw new Error('its prints are malformed');
    if (!row) this.options.receipts?.seeLeaf(eventId);
    if (!row) return tree.noteMissing(index, eventId, prints);
    this.counts.events += 1;
    if (leafHash(entryOf(row)).equals(hashed)) return this.#takeIntact(index, eventId, row, prints);
    return this.#findChange(index, eventId, row, prints);
  }

  #findChange(index, eventId, row, prints) {
    const tree = this.#tree;
    const own = leafHash(entryOf(row));
    const other = tree.tile.hashes.findIndex((each) => each.equals(own));
    const fields = changedFields(row, prints);
    if (other >= 0) {
      const belongs = tree.tile.index * TILE_WIDTH + other;
      return tree.find('reordered', `here stands the event of leaf ${belongs}`, index, { eventId: row.id });
    }
    this.#changed.add(row.id);
    if (fields.length === 0)
      return tree.find(
        'tile',
        'the hash in the tile is not that of the event, of which no field was changed',
        index,
        { eventId },
      );
    return tree.find('changed', `the event was changed: ${fields.join(', ')}`, index, { eventId, fields });
  }

  #takeIntact(index, eventId, row, prints) {
    this.options.receipts?.see(row, true);
    const tree = this.#tree;
    const where = { eventId };
    if (row.id !== eventId)
      tree.find('changed', `the leaf is noted as that of event ${eventId}`, index, { eventId: row.id });
    if (row.tenant_id !== this.tenantId)
      tree.find('changed', 'it is of another tenant', index, { ...where, fields: ['tenantId'] });
    const fields = changedFields(row, prints);
    if (fields.length > 0)
      tree.find('prints', `its prints were changed: ${fields.join(', ')}`, index, { ...where, fields });
    this.#sealedUntil = Math.max(this.#sealedUntil, Date.parse(row.occurred_at) || 0);
    this.#checkVersion(index, row);
    const payload = JSON.parse(row.data);
    if (row.data.replaceAll(STRING, '').split(':').length - 1 !== membersIn(payload))
      tree.find('changed', 'its payload has a member twice, which PostgreSQL never has', index, {
        ...where,
        fields: ['data'],
      });
    if (row.type === 'audit.log.pruned') this.#takePruned(index, row, payload);
    this.#open = { index, eventId, commitments: commitmentsOf(payload) };
  }

  /** A sealed event of the retention says that rows were pruned: those before it, and no others. */
  #takePruned(index, { id: eventId, actor, act }, payload) {
    const where = { eventId };
    const { tenantId = this.tenantId, epoch, prunedTo } = payload ?? {};
    if (actor !== PRUNER || act !== null)
      return this.#tree.find(
        'pruned',
        'it says of leaves that they were pruned, and is not the retention’s',
        index,
        where,
      );
    if (tenantId !== this.tenantId) return void (this.#isOfPruned = true);
    const to = /^\d{1,15}$/.test(String(prunedTo)) ? Number(prunedTo) : Number.NaN;
    const end = epoch === this.#tree.number ? index : this.trees.get(epoch)?.size;
    if (!(epoch <= this.#tree.number && to <= end))
      return this.#tree.find(
        'pruned',
        'it says of leaves that they were pruned which do not stand before it',
        index,
        where,
      );
    this.prunedTo.set(epoch, Math.max(to, this.prunedTo.get(epoch) ?? 0));
    return undefined;
  }

  #checkVersion(index, { id, stream_type, stream_id, stream_version }) {
    const stream = `${stream_type}/${stream_id}`;
    const version = Number(stream_version);
    const before = this.streams.put(stream, version);
    const unsealed = this.#unsealedFrom.of(stream);
    if (unsealed > 0 && unsealed <= version) {
      this.#unsealedFrom.put(stream, 0); // Once is enough.
      this.#tree.find(
        'inserted',
        `an event without a leaf says that it is version ${unsealed} of the stream ${stream}, which has got to ${version}`,
        index,
        { eventId: id },
      );
    }
    if (version === before + 1) return;
    const missing =
      version === before + 2 ? `version ${before + 1}` : `versions ${before + 1} to ${version - 1}`;
    const message =
      version > before
        ? `${missing} of the stream ${stream} missing`
        : `the stream ${stream} goes back to version ${version}`;
    const tree = this.#tree;
    const find = () => tree.find('gap', `before this event, ${message}`, index, { eventId: id });
    // Of a stream whose first events were pruned, what is left begins later. Whether any were may be said behind it.
    if (before === 0) this.#late += version - 1;
    if (before === 0) this.#lateStreams.add(streamPrint(printOf(stream_type), printOf(stream_id)));
    if (before > 0) find();
    else if (
      this.#lateBegins.length < LISTED_MAX &&
      ![...this.trees.values()].some(({ prunedTo }) => prunedTo > 0)
    )
      this.#lateBegins.push(find);
  }

  #takeDisclosure({ eventId, path, salt, value }) {
    const commitment = this.#open?.eventId === eventId ? this.#open.commitments.get(path) : undefined;
    const bytes = Buffer.from(salt, 'base64url');
    const made = sha256(Buffer.of(2), bytes, Buffer.from(canonical(value))).toString('base64url');
    if (commitment === undefined || bytes.length !== HASH_BYTES || made !== commitment)
      this.report.find('disclosure', `what is disclosed at ${path} is not what was committed to`, {
        ...{ epoch: this.#tree?.number, index: this.#open?.index, eventId },
      });
    this.#open?.commitments.delete(path);
  }

  #closeLeaf() {
    if (!this.#open) return;
    const { index, eventId, commitments } = this.#open;
    for (const path of commitments.keys())
      this.report.redact({ epoch: this.#tree.number, index, eventId, path });
    this.#open = undefined;
  }

  #takeUnsealed({ index, row }) {
    this.counts.unsealed += 1;
    this.options.receipts?.see(row, false);
    if (row.tenant_id !== this.tenantId)
      this.report.find('changed', 'an event without a leaf is of another tenant', {
        eventId: row.id,
        fields: ['tenantId'],
      });
    if (this.#changed.has(row.id)) return;
    if (index !== null && !(Number(index) >= [...this.trees.values()].at(-1)?.size))
      this.report.find(
        'inserted',
        `the event has no leaf, and is said to wait at the place of leaf ${index}`,
        {
          eventId: row.id,
        },
      );
    if (index !== null || !this.sealed || !isVisible(this.sealed, row.xid)) {
      this.#checkUnsealedVersion(row);
      return this.#await(row);
    }
    if (!this.#findRenamed(row))
      this.report.find('inserted', 'no leaf is that of this event, and all events up to it are sealed', {
        eventId: row.id,
      });
  }

  /** The versions of a stream are in the order of their leaves: one without a leaf comes behind all that have theirs. */
  #checkUnsealedVersion({ id: eventId, stream_type, stream_id, stream_version }) {
    const stream = `${stream_type}/${stream_id}`;
    const version = Number(stream_version);
    const sealed = this.streams.of(stream);
    const lowest = this.#unsealedFrom.of(stream);
    if (lowest === 0 || version < lowest) this.#unsealedFrom.put(stream, version);
    if (version > sealed) return;
    const message = `the event has no leaf, and is version ${version} of the stream ${stream}, which has got to ${sealed}`;
    this.report.find('inserted', message, { eventId });
  }

  /**
   * An event whose transaction ended later than those that were sealed has no leaf yet; how late that was, the row says itself. A
   * transaction lives for half a minute, so one that is said to have been open for long was made up, and so was a day to come.
   */
  #await({ id: eventId, occurred_at }) {
    const at = Date.parse(occurred_at);
    if (!(at <= Date.parse(this.createdAt) + CLOCKS_APART_MS))
      this.report.find('inserted', 'the event has no leaf, and is dated behind the making of the bundle', {
        eventId,
      });
    else if (at < this.#waiting.at) this.#waiting = { at, eventId };
  }

  /** An event without a leaf may be one whose id was changed: then its other fields are those of a leaf without an event. */
  #findRenamed(row) {
    for (const tree of this.trees.values()) {
      for (const [index, { eventId, prints }] of tree.gonePrints) {
        const fields = changedFields(row, prints);
        if (fields.length !== 1) continue;
        tree.gonePrints.delete(index);
        tree.renamed.add(index);
        tree.find('changed', `the event was changed: ${fields[0]}, which is ${row.id}`, index, {
          eventId,
          fields,
        });
        return true;
      }
    }
    return false;
  }

  #end() {
    this.#closeLeaf();
    if (this.#tree) this.#finishTile();
    const { lines, leaves, events, unsealed } = this.counts;
    const digest = this.#running.toString('hex');
    const trailer = JSON.stringify({ trailer: { lines, leaves, events, unsealed, digest } });
    if (this.#trailer === undefined) this.#fault('the end of the file is cut: there is no trailer');
    else if (this.#trailer !== trailer)
      this.#fault('the file was changed: its lines are not those that the trailer counts and digests');
    this.#endTrees();
    this.#endPruned();
    if (!this.#isOfPruned) for (const find of this.#lateBegins) find();
    this.#endWaiting();
    if (this.trees.size === 0 && unsealed === 0) this.report.note('the log is empty');
  }

  /** What has waited for so long was made up, or nothing has been sealed since; either way nothing vouches for it. */
  #endWaiting() {
    const { at, eventId } = this.#waiting;
    const message = 'the event has no leaf, and events of more than an hour later have theirs';
    if (this.#sealedUntil - at > OPEN_MAX_MS) this.report.find('inserted', message, { eventId });
    else if (!(Date.parse(this.createdAt) - at <= OPEN_MAX_MS) && eventId)
      this.report.find('unsealed', 'the event had waited for its leaf for more than an hour', { eventId });
    const { unsealed } = this.counts;
    if (unsealed > 0) this.report.note(`${unsealed} events are not sealed: nothing vouches for them yet`);
  }

  /**
   * From the newest tree to the oldest, because a tree vouches for the one before it: by a first leaf that is under a checkpoint
   * which a given key signed, and that names a root which the leaves of the one before have.
   */
  #endTrees() {
    for (const tree of this.trees.values()) if (tree.number > (this.#tree?.number ?? 0)) this.#begin(tree);
    let named;
    let newest;
    for (const tree of [...this.trees.values()].toReversed()) {
      tree.end(named?.size ?? 0, this.options.earlier);
      const isVouched = this.#checkSigned(tree, named);
      named = isVouched ? this.#namedBy(tree) : undefined;
      this.#endMissing(tree);
      const last = tree.checkpoints.at(-1);
      newest ??= tree;
      if (tree === newest && last) this.#checkQuorum(tree, last);
    }
    const { claims, quorum } = this.options;
    for (const { epoch, tenantId, size, by } of claims) {
      const isLost = size <= (this.holes.get(epoch)?.size ?? 0);
      if (tenantId !== this.tenantId) this.report.find('cut', `${by} is of another log`, { epoch });
      else if (!this.trees.has(epoch) && isLost)
        this.report.note(`${by} is of epoch ${epoch}, which a restore lost`);
      else if (!this.trees.has(epoch))
        this.report.find('cut', `${by} is of epoch ${epoch}, which is not there`, { epoch, index: 0 });
    }
    if (quorum > 0 && ![...this.trees.values()].at(-1)?.checkpoints.length)
      this.report.find('witness', 'there is no checkpoint that could be cosigned');
  }

  /** The checkpoint that a tree names of the one that is there before it. */
  #namedBy({ number, previous }) {
    const note = this.trees.has(number - 1) ? previous?.checkpoint : previous?.behind;
    return note === undefined ? undefined : parseCheckpoint(note);
  }

  /** Whether all of a tree is under a checkpoint that a given key signed, or the next tree vouches for. */
  #checkSigned(tree, named) {
    const last = tree.checkpoints.at(-1);
    if ((last?.size ?? 0) !== tree.size)
      tree.find('signature', `no checkpoint has its size, ${tree.size}`, tree.size);
    const signed = tree.checkpoints.filter((each) => each.signed === 'good').map(({ size }) => size);
    const byNext = named && named.size <= tree.frontier.size ? named.size : 0;
    const vouchedTo = Math.max(0, byNext, ...signed);
    for (const { size, signed: by } of tree.checkpoints) {
      const what = `the checkpoint of size ${size} of epoch ${tree.number}`;
      if (by === 'bad') tree.find('signature', `the signature of ${what} is bad`, size - 1);
      if (by !== 'unknown') continue;
      if (size <= vouchedTo)
        this.report.note(`${what} is signed by a key that was not given; a later one vouches for it`);
      else tree.find('signature', `${what} is not signed by a key that was given`, size - 1);
    }
    return tree.size > 0 && vouchedTo >= tree.size;
  }

  #endMissing(tree) {
    const allowed = this.prunedTo.get(tree.number) ?? 0;
    if (tree.prunedTo > allowed)
      tree.find(
        'pruned',
        `it is said to be pruned up to leaf ${tree.prunedTo}, and a sealed event says ${allowed}`,
        allowed,
      );
    for (const { from, to, eventId } of tree.missing) {
      const first = Math.max(from, allowed);
      if (from < allowed)
        this.report.pruned.push({ epoch: tree.number, from, to: Math.min(to, allowed - 1) });
      if (first > to || (first === to && tree.renamed.has(first))) continue;
      const message = to > first ? `the events of leaves ${first} to ${to} are gone` : 'the event is gone';
      tree.find('missing', message, first, first === from ? { eventId } : {});
    }
  }

  /** Of each stream its last event stays: so as many rows may be gone as versions are at the beginnings of streams, and no others. */
  #endPruned() {
    const gone = [...this.trees.values()].reduce((sum, tree) => sum + tree.gone, 0);
    const isTold = this.report.findings.some(({ kind }) => kind === 'missing');
    if (this.prunedTo.size === 0 || isTold || gone === this.#late) return;
    if (gone > this.#late) this.#findLast(gone - this.#late);
    else if (!this.#isOfPruned)
      this.report.find('gap', `streams begin ${this.#late - gone} versions later than with what was pruned`);
  }

  /** Which they were the prints say, as long as nobody has made these up. */
  #findLast(count) {
    const message = `${count} events are gone that are no first ones of their streams, which alone are pruned`;
    for (const tree of this.trees.values())
      for (const [index, { eventId, prints }] of tree.gonePrints) {
        const [type, id] = [prints.readUInt16BE(STREAM_TYPE_AT), prints.readUInt16BE(STREAM_TYPE_AT + 2)];
        if (this.#lateStreams.has(streamPrint(type, id))) continue;
        return tree.find('missing', `${message}; this is the first`, index, { eventId });
      }
    return this.report.find('missing', message);
  }

  #checkQuorum(tree, last) {
    const { witnesses, quorum } = this.options;
    const { good } = cosignatures(last, witnesses);
    if (good.length < quorum)
      tree.find(
        'witness',
        `the newest checkpoint has ${good.length} of ${quorum} cosignatures`,
        last.size - 1,
      );
  }

  facts() {
    const epochs = [...this.trees.values()].map(({ number, size, frontier }) => ({
      ...{ number, size, root: frontier.size > 0 ? frontier.root().toString('base64') : null },
    }));
    const { receipts } = this.options;
    return {
      tenantId: this.tenantId,
      epochs,
      ...this.counts,
      ...(receipts && { receipts: receipts.count, undecided: receipts.undecided }),
    };
  }
}

// ---- Earlier evidence -------------------------------------------------------------------------------------------

/** A bundle that was kept: its tiles, to name the first leaf that is another one since. */
class Earlier {
  #tiles = new Map();
  #differs = false;
  checkpoints = [];

  /** Reads the hashes of leaves and the ids of events: 48 bytes a leaf. */
  static async read(chunks) {
    const earlier = new Earlier();
    let at;
    for await (const { bytes } of linesOf(chunks)) {
      const line = JSON.parse(bytes.toString());
      if (line.checkpoint) earlier.checkpoints.push(line.checkpoint.note);
      if (line.tile?.level === 0) {
        at = { hashes: Buffer.from(line.tile.hashes, 'base64'), ids: [] };
        earlier.#tiles.set(`${line.tile.epoch}/${line.tile.index}`, at);
      }
      if (line.leaf)
        at.ids[Number(line.leaf.index) % TILE_WIDTH] = Buffer.from(
          line.leaf.eventId.replaceAll('-', ''),
          'hex',
        );
    }
    return earlier;
  }

  /** Compares a tile of level 0; the first leaf that differs is a finding, for those behind it mean nothing more. */
  compare(tree, index, hashes) {
    const name = `${tree.number}/${index}`;
    const { hashes: before, ids } = this.#tiles.get(name) ?? {};
    // One that goes on behind what is left is needed to name what is gone.
    if (before && before.length <= hashes.length * HASH_BYTES) this.#tiles.delete(name);
    if (!before || this.#differs) return;
    for (let at = 0; at * HASH_BYTES < before.length && at < hashes.length; at += 1) {
      if (hashes[at].equals(before.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES))) continue;
      this.#differs = true;
      const eventId = this.#idOf(ids[at]);
      tree.find(
        'rebuilt',
        'the earlier bundle has another leaf here: the log was made anew from here on',
        index * TILE_WIDTH + at,
        { eventId },
      );
      return;
    }
  }

  /** The event of a leaf that was not compared: the log ends before it. */
  eventAt(epoch, index) {
    const tile = this.#tiles.get(`${epoch}/${Math.floor(index / TILE_WIDTH)}`);
    return tile && this.#idOf(tile.ids[index % TILE_WIDTH]);
  }

  #idOf(bytes) {
    return bytes?.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') ?? NIL;
  }
}

/** What a checkpoint that was kept claims; of a note that no given key signed it is not to be believed. */
function claimOf(note, keys, by) {
  const checkpoint = parseCheckpoint(note);
  if (logSignature(checkpoint, keys) !== 'good')
    throw new WrongUsage(`${by} is not signed by a key that was given.`);
  const [tenantId, epoch] = checkpoint.origin.split('/').slice(-2);
  return { tenantId, epoch: Number(epoch), size: checkpoint.size, root: checkpoint.root, by };
}

// ---- Proofs -----------------------------------------------------------------------------------------------------

/** Takes a tlog-proof apart whose extra is the entry; undefined if it is none. */
function readProof(text) {
  const [head, note] = [text.slice(0, text.indexOf('\n\n')), text.slice(text.indexOf('\n\n') + 2)];
  const [format, extra = '', place = '', ...encoded] = head.split('\n');
  const entry = base64(extra.replace(/^extra /, ''));
  const index = Number(/^index (0|[1-9]\d*)$/.exec(place)?.[1] ?? Number.NaN);
  const proof = encoded.map((each) => base64(each));
  const isWellFormed =
    format === 'c2sp.org/tlog-proof@v1' && entry && extra.startsWith('extra ') && Number.isSafeInteger(index);
  if (!isWellFormed || proof.some((each) => each?.length !== HASH_BYTES)) return undefined;
  return { entry, index, proof, checkpoint: parseCheckpoint(note) };
}

/** Whether the entry is in the tree of the checkpoint. */
function isIncluded({ entry, index, proof, checkpoint: { size, root } }) {
  return index < size && rootOfInclusion(leafHash(entry), index, size, proof)?.equals(root) === true;
}

/** Verifies a tlog-proof whose extra is the entry of the event. */
function verifyProof(text, { keys, witnesses, quorum }, report) {
  const file = readProof(text);
  if (!file) return report.find('file', 'this is no proof with its entry');
  const { entry, index, checkpoint } = file;
  const isGood =
    logSignature(checkpoint, keys) === 'good' && keys.some(({ name }) => sameLog(name, checkpoint.origin));
  if (!isGood) report.find('signature', 'its checkpoint is not signed by a key that was given', { index });
  if (!isIncluded(file)) report.find('root', 'the entry is not in the tree of the checkpoint', { index });
  const cosigned = cosignatures(checkpoint, witnesses);
  for (const name of cosigned.bad) report.find('witness', `the cosignature of ${name} is bad`, { index });
  if (cosigned.good.length < quorum)
    report.find('witness', `it has ${cosigned.good.length} of ${quorum} cosignatures`, { index });
  const { id, type, actor, occurredAt } = JSON.parse(entry.toString());
  report.facts = {
    origin: checkpoint.origin,
    size: checkpoint.size,
    index,
    eventId: id,
    type,
    actor,
    occurredAt,
  };
  return undefined;
}

/** Whether two origins differ in their epochs alone. */
const sameLog = (one, other) => one.slice(0, one.lastIndexOf('/')) === other.slice(0, other.lastIndexOf('/'));

// ---- Receipts ---------------------------------------------------------------------------------------------------

/** Clocks of servers are apart by far less. An event that is so much older than another that is sealed has to be sealed. */
const CLOCK_ROOM_MS = 60_000;

/** The canonical JSON that a text is; undefined if it is none. */
function canonicalObject(text) {
  try {
    const value = JSON.parse(text);
    return canonical(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Events that receipts name, which the bundle has to have as they were. */
class Receipts {
  count = 0;
  undecided = 0;
  /** The time of the newest sealed event: that of the bundle is nobody's signed word. */
  #sealedTo = -Infinity;
  #named = [];
  #byId = new Map();
  #byStream = new Map();

  /** `files` are texts: of receipts, of their keys, and of the events of receipts that name none. */
  constructor({ receipts = [], receiptKeys = [], receiptEvents = [] }, { keys }, report) {
    Object.assign(this, { keys, report });
    this.logName = keys[0].name.split('/').slice(0, -2).join('/');
    this.entries = new Map(receiptKeys.flatMap((text) => this.#certified(text)));
    this.lists = receiptEvents.map((text) => text.split('\n').filter(Boolean));
    for (const text of receipts.flatMap(receiptTexts)) this.#take(text);
  }

  /** The keys that the log proves, of an answer of the API. */
  #certified(text) {
    const answer = JSON.parse(text);
    return (answer.data ?? [answer]).flatMap(({ id, entry, certificate }) => {
      if (!certificate) return []; // The log did not have it yet; a receipt that needs it will say so.
      const proof = readProof(certificate);
      const own = `${this.logName}/${NIL}/`;
      const { origin = '' } = proof?.checkpoint ?? {};
      const isProven =
        proof?.entry.toString() === entry &&
        origin.startsWith(own) &&
        /^\d+$/.test(origin.slice(own.length)) &&
        logSignature(proof.checkpoint, this.keys) === 'good' &&
        isIncluded(proof);
      const key = isProven ? canonicalObject(entry) : undefined;
      if (key?.kind === 'receipt-key' && key.v === 1 && key.id === id && fingerprint(key) === id)
        return [[id, key]];
      this.report.find('receipt', `the log does not prove the key ${id}`);
      return [];
    });
  }

  #take(text) {
    const receipt = this.#open(text);
    if (!receipt) return;
    this.count += 1;
    for (const event of this.#eventsOf(receipt)) {
      const named = { event, receipt, isSealed: false, isUnsealed: false, isGone: false };
      this.#named.push(named);
      const [map, name] =
        event.id === undefined
          ? [this.#byStream, `${event.stream.type}/${event.stream.id}`]
          : [this.#byId, event.id];
      map.set(name, [...(map.get(name) ?? []), named]);
    }
  }

  /** What a receipt says; undefined, and a finding, unless a key of the log signed it while it was valid. */
  #open(text) {
    const refuse = (message) => void this.report.find('receipt', message);
    let proof;
    try {
      proof = readProof(text);
    } catch {
      proof = undefined; // Its checkpoint is none.
    }
    const receipt = proof && canonicalObject(proof.entry.toString());
    if (receipt?.kind !== 'receipt' || receipt.v !== 1) return refuse('what was given as a receipt is none');
    const { keyId, at, requestId } = receipt;
    const key = this.entries.get(keyId);
    if (!key) return refuse(`the key ${keyId} of a receipt was not given, or is not proven`);
    const tagged = Buffer.concat([Buffer.of(1), base64(key.publicKey)]);
    const name = `${this.logName}/receipts/${keyId}`;
    const signer = parseKey(`${name}+${keyIdOf(name, tagged)}+${tagged.toString('base64')}`);
    const isSigned = proof.checkpoint.origin === name && logSignature(proof.checkpoint, [signer]) === 'good';
    if (!isSigned || !isIncluded(proof)) return refuse(`the receipt of request ${requestId} is not signed`);
    const [from, signed, to] = [key.validFrom, at, key.validUntil].map((each) => Date.parse(each));
    if (!(from <= signed && signed <= to))
      return refuse(`the key of the receipt of request ${requestId} was not valid at ${at}`);
    return receipt;
  }

  #eventsOf({ events, count, root, requestId }) {
    if (events) return events;
    const lines = this.lists.find((each) => each.length === count && rootOfLines(each) === root);
    if (lines) return lines.map((line) => JSON.parse(line));
    const message = `the receipt of request ${requestId} is for ${count} events, which were not given`;
    this.report.find('receipt', message);
    return [];
  }

  /** Looks at an event of the bundle, which has its leaf or has none yet. */
  see(row, isSealed) {
    const occurredAt = Date.parse(row.occurred_at);
    if (isSealed && occurredAt > this.#sealedTo) this.#sealedTo = occurredAt;
    const named = [
      ...(this.#byId.get(row.id) ?? []),
      ...(this.#byStream.get(`${row.stream_type}/${row.stream_id}`) ?? []),
    ];
    for (const each of named) {
      const { event } = each;
      const { version = row.stream_version } = event.stream;
      if (event.id === undefined && (event.type !== row.type || version !== row.stream_version)) continue;
      if (isSealed) each.isSealed = true;
      else each.isUnsealed = true;
      const field = differenceOf(event, row);
      if (field)
        this.report.find('receipt', `the event is another than its receipt says: ${field}`, {
          ...{ eventId: row.id, fields: [field] },
        });
    }
  }

  /** Notes a leaf without a row. Whose it is nobody has signed, so that the receipt is neither held nor broken. */
  seeLeaf(eventId) {
    for (const named of this.#byId.get(eventId) ?? []) named.isGone = true;
  }

  /** After the last line of the bundle. */
  end({ tenantId, pruned }) {
    for (const named of this.#named) {
      const { requestId, tenantId: owner } = named.receipt;
      if (owner !== tenantId)
        this.report.find('receipt', `the receipt of request ${requestId} is of another tenant`);
      else if (!named.isSealed) this.#judge(named, pruned);
    }
  }

  /** What becomes of an event that no leaf of the bundle has. */
  #judge({ event, receipt, isUnsealed, isGone }, pruned) {
    const { id: eventId } = event;
    const what = `${event.type} of ${event.stream.type}/${event.stream.id}`;
    const isDue = Date.parse(receipt.at) + CLOCK_ROOM_MS < this.#sealedTo;
    if (pruned.length > 0 && (isGone || eventId === undefined)) {
      this.undecided += 1;
      this.report.note(
        `whether the log had ${what} cannot be told: it may be among the events that were pruned`,
      );
    } else if (isUnsealed && !isDue) {
      this.report.note(`${what} is not sealed yet`);
    } else {
      const message = isDue
        ? `there is a receipt for ${what}, and the sealed log does not have it`
        : `there is a receipt for ${what}, and the log is not sealed so far: not before a later bundle has it`;
      this.report.find('receipt', message, { ...(eventId && { eventId }) });
    }
  }
}

/** Receipts as they are kept: the text of a proof file, or values of headers, on lines or with commas between them. */
const receiptTexts = (text) =>
  text.startsWith('c2sp.org/')
    ? [text]
    : text
        .split(/[\n,]/)
        .map((each) => each.trim())
        .filter(Boolean)
        .map((each) => Buffer.from(each, 'base64').toString());

const fingerprint = ({ publicKey }) => hash('sha256', base64(publicKey) ?? Buffer.of(), 'hex').slice(0, 32);

/** The root over lines of events, as a receipt has it. */
function rootOfLines(lines) {
  const frontier = new Frontier();
  for (const line of lines.toSorted()) frontier.append(leafHash(line));
  return frontier.root().toString('base64url');
}

/** The first member in which the event is another than its receipt says. */
function differenceOf({ type, stream, dataSha256 }, row) {
  const { version = row.stream_version } = stream;
  if (row.type !== type) return 'type';
  if (row.stream_type !== stream.type || row.stream_id !== stream.id || row.stream_version !== version)
    return 'stream';
  const digest = hash('sha256', canonical(JSON.parse(row.data)), 'base64url');
  return dataSha256 !== undefined && dataSha256 !== digest ? 'data' : undefined;
}

// ---- The command line -------------------------------------------------------------------------------------------

const readChunks = (file) => {
  const isGzipped = readStart(file).startsWith('\u001F');
  const chunks = createReadStream(file, { highWaterMark: 1 << 20 });
  return isGzipped ? chunks.pipe(createGunzip()) : chunks;
};

/** The first bytes of a file say what it is. */
function readStart(file) {
  try {
    const opened = openSync(file, 'r');
    const start = Buffer.alloc(64);
    const length = readSync(opened, start);
    closeSync(opened);
    return start.toString('latin1', 0, length);
  } catch (error) {
    throw new WrongUsage(`${file} cannot be read: ${error.message}`);
  }
}

function parseArguments(argv) {
  const given = {
    files: [],
    '--key': [],
    '--against': [],
    '--witness': [],
    '--quorum': [],
    ...noReceipts(),
    json: false,
  };
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at];
    if (word === '--json') given.json = true;
    else if (!word.startsWith('--')) given.files.push(word);
    else if (Array.isArray(given[word]) && argv[at + 1] !== undefined) given[word].push(argv[(at += 1)]);
    else throw new WrongUsage(`What is ${word}?`);
  }
  const keys = given['--key'].map(parseKey);
  const witnesses = given['--witness'].map(parseKey);
  const quorum = Number(given['--quorum'][0] ?? witnesses.length);
  if (given.files.length !== 1 || keys.length === 0)
    throw new WrongUsage('Name one file, and a key with --key.');
  if (!Number.isInteger(quorum) || quorum < 0 || quorum > witnesses.length)
    throw new WrongUsage('--quorum is a number of the witnesses that are named with --witness.');
  const [file] = given.files;
  return {
    file,
    keys,
    witnesses,
    quorum,
    against: given['--against'],
    json: given.json,
    ...keptReceipts(given),
  };
}

const noReceipts = () => ({ '--receipt': [], '--receipt-key': [], '--receipt-events': [] });

/** The texts of the files that receipts and what belongs to them are in. */
function keptReceipts(given) {
  const [receipts, receiptKeys, receiptEvents] = Object.keys(noReceipts()).map((name) =>
    given[name].map((file) => {
      readStart(file); // Says of a file that is not there what it is.
      return readFileSync(file, 'utf8');
    }),
  );
  return { kept: receipts.length > 0 ? { receipts, receiptKeys, receiptEvents } : undefined };
}

/** Adds what was kept from earlier to what the log has to agree with. */
async function readEvidence(files, keys) {
  const evidence = { claims: [], earlier: undefined };
  for (const file of files) {
    const start = readStart(file);
    if (!start.startsWith('{') && !start.startsWith('\u001F')) {
      evidence.claims.push(claimOf(readFileSync(file, 'utf8'), keys, file));
      continue;
    }
    evidence.earlier = await Earlier.read(readChunks(file));
    for (const note of evidence.earlier.checkpoints)
      evidence.claims.push(claimOf(note, keys, `a checkpoint in ${file}`));
  }
  return evidence;
}

/** Verifies the bytes of a bundle: an iterable of buffers, read once. `keys` and `witnesses` are texts. */
export async function verifyBundle(chunks, { keys, witnesses = [], quorum = 0, claims = [], earlier } = {}) {
  const report = new Report();
  const options = { keys: keys.map(parseKey), witnesses: witnesses.map(parseKey), quorum, claims, earlier };
  await readBundle(chunks, options, report);
  return report.outcome();
}

async function readBundle(chunks, options, report) {
  const bundle = new Bundle(options, report);
  try {
    await bundle.read(chunks);
  } catch (error) {
    report.find('file', `the file cannot be read to its end: ${error.message}`);
  }
  options.receipts?.end({ tenantId: bundle.tenantId, pruned: report.pruned });
  report.facts = bundle.facts();
}

function printText({ intact, findings, findingCount, redactions, redactionCount, pruned, notes, ...facts }) {
  const lines = findings.map(({ kind, epoch, index, eventId, line, message }) => {
    const place = [
      epoch && `epoch ${epoch}`,
      index !== undefined && `leaf ${index}`,
      eventId && `event ${eventId}`,
    ];
    const where = [...place, line && `line ${line}`].filter(Boolean).join(', ');
    return `  ${kind}${where && ` at ${where}`}: ${message}`;
  });
  const told = [
    ...pruned.map(
      ({ epoch, from, to }) => `  pruned: leaves ${from} to ${to} of epoch ${epoch}, as a sealed event says`,
    ),
    ...redactions.map(
      ({ epoch, index, eventId, path }) =>
        `  redacted: ${path} of event ${eventId} (epoch ${epoch}, leaf ${index})`,
    ),
    ...notes.map((note) => `  note: ${note}`),
  ];
  const { epochs, ...others } = facts;
  const about = [
    ...(epochs ?? []).map(({ number, size, root }) => `  epoch ${number}: ${size} leaves, root ${root}`),
    ...Object.entries(others).map(([name, value]) => `  ${name}: ${value}`),
  ];
  const verdict = intact ? 'Intact.' : `NOT INTACT: ${findingCount} findings.`;
  const more = redactionCount > redactions.length ? [`  ${redactionCount} redactions in all`] : [];
  const printed = [verdict, ...lines, ...told, ...more, ...about];
  // What a terminal would take for a command is shown and not obeyed.
  const escaped = (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const plain = printed.map((line) => line.replaceAll(/[\p{Cc}\p{Cf}]/gu, escaped));
  process.stdout.write(`${plain.join('\n')}\n`);
}

async function main(argv) {
  try {
    const { file, against, json, kept, ...options } = parseArguments(argv);
    const evidence = await readEvidence(against, options.keys);
    const report = new Report();
    if (kept) evidence.receipts = new Receipts(kept, options, report);
    if (readStart(file).startsWith('c2sp.org/tlog-proof'))
      verifyProof(readFileSync(file, 'utf8'), options, report);
    else await readBundle(readChunks(file), { ...options, ...evidence }, report);
    const outcome = report.outcome();
    if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    else printText(outcome);
    return outcome.intact ? 0 : 1;
  } catch (error) {
    const usage = readFileSync(fileURLToPath(import.meta.url), 'utf8').match(/\/\*\*([\s\S]*?)\*\//)[1];
    const isUsage = error instanceof WrongUsage;
    process.stderr.write(
      isUsage ? `${error.message}\n${usage.replaceAll(/^ \* ?/gm, '')}\n` : `${error.stack}\n`,
    );
    return isUsage ? 2 : 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
