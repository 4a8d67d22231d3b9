import { parseBase64 } from './base64';
import { HASH_BYTES } from './hashing';
import { NOTE_BYTES_MAX, parseText } from './note-text';
import { type Count, parseCount, toBigInt } from './sizes';
import { check } from './tlog.errors';

/** What a log says of itself at one size: the text of a note, c2sp.org/tlog-checkpoint. */
export interface Checkpoint {
  /** Which log. By custom the name of the key that signs. */
  readonly origin: string;
  readonly size: bigint;
  readonly root: Buffer;
  /** Lines of the log's own behind the root, mostly none. */
  readonly extensions: readonly string[];
}

/** What `formatCheckpoint` takes. */
export interface CheckpointFields {
  readonly origin: string;
  readonly size: Count;
  readonly root: Uint8Array;
  readonly extensions?: readonly string[];
}

/** The text to sign, which `parseCheckpoint` reads. */
export function formatCheckpoint({ origin, size, root, extensions = [] }: CheckpointFields): string {
  const lines = [
    origin,
    String(toBigInt(size, 'The size')),
    Buffer.from(root).toString('base64'),
    ...extensions,
  ];
  const isOneLineEach = lines.every((line) => line !== '' && !line.includes('\n'));
  check(isOneLineEach, 'bad_argument', 'Origin and extensions are lines that are not empty');
  const text = `${lines.join('\n')}\n`;
  parseCheckpoint(text);
  return text;
}

/** Reads the text of a checkpoint. Throws `malformed_checkpoint` for every other spelling than that of the format. */
export function parseCheckpoint(text: string): Checkpoint {
  check(text.length <= NOTE_BYTES_MAX, 'too_large', `A checkpoint has at most ${NOTE_BYTES_MAX} bytes`);
  const [origin = '', sizeText = '', rootText = '', ...rest] = parseText(text)?.split('\n') ?? [];
  const extensions = rest.slice(0, -1);
  const size = parseCount(sizeText);
  const root = parseBase64(rootText);
  const isComplete = rest.at(-1) === '' && ![origin, ...extensions].includes('');
  check(isComplete, 'malformed_checkpoint', 'A checkpoint is three lines or more, none of them empty');
  check(size !== undefined, 'malformed_checkpoint', 'The size is a decimal between 0 and 2^64 - 1');
  check(root?.length === HASH_BYTES, 'malformed_checkpoint', 'The root is a SHA-256 hash in base64');
  return { origin, size, root, extensions };
}
