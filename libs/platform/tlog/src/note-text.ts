import { check } from './tlog.errors';
import { parseBase64 } from './base64';
import { isKeyName } from './note-keys';

/** Bytes of a note. As large as Go's and transparency-dev's readers take; 16 post-quantum signatures are 80 kB. */
export const NOTE_BYTES_MAX = 1_000_000;

/** Signatures on a note. The specification wants at least 16 accepted; Go's reader takes 100. */
const SIGNATURES_MAX = 100;

const KEY_ID_BYTES = 4;
const LINE_START = '— ';

/** A line of signature, by itself: what it says is not verified. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** What the key made: for a cosignature the time and the signature. */
  readonly signature: Buffer;
}

/** A note, taken apart: nothing in it is verified. */
export interface NoteParts {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

// The mark at the beginning of a text is part of the text, and what is signed has to stay byte for byte.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of bytes or of a string; undefined if it is not UTF-8 or has control characters other than newline. */
export function parseText(bytes: Uint8Array | string): string | undefined {
  const text = typeof bytes === 'string' ? bytes : decode(bytes);
  // oxlint-disable-next-line no-control-regex -- control characters are what notes must not have
  return text !== undefined && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text)
    ? text
    : undefined;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    // Not UTF-8, for which the decoder has no other answer.
    return undefined;
  }
}

/** A signature as a line of a note. */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const id = Buffer.alloc(KEY_ID_BYTES);
  id.writeUInt32BE(keyId);
  return `${LINE_START}${name} ${Buffer.concat([id, signature]).toString('base64')}\n`;
}

function parseSignature(line: string): NoteSignature | undefined {
  if (!line.startsWith(LINE_START)) return undefined;
  const [name = '', encoded = '', ...more] = line.slice(LINE_START.length).split(' ');
  const bytes = parseBase64(encoded);
  if (!isKeyName(name) || more.length > 0 || !bytes || bytes.length <= KEY_ID_BYTES) return undefined;
  return { name, keyId: bytes.readUInt32BE(), signature: bytes.subarray(KEY_ID_BYTES) };
}

/** The signatures of lines of a note; undefined if a line is something else, or there is none, or too many. */
export function parseSignatures(lines: string): NoteSignature[] | undefined {
  if (!lines.endsWith('\n')) return undefined;
  const each = lines.slice(0, -1).split('\n', SIGNATURES_MAX + 1);
  const signatures = each.map(parseSignature).filter((signature) => signature !== undefined);
  return signatures.length === each.length && each.length <= SIGNATURES_MAX ? signatures : undefined;
}

/**
 * Takes a note apart and verifies nothing: for those who pass notes on. Refuses what is not UTF-8, has control
 * characters, has no signature or a malformed one, is larger than 1 MB or has more than 100 signatures.
 */
export function parseNote(note: Uint8Array | string): NoteParts {
  // A string is shorter than its UTF-8, so that one too long is not encoded to find out.
  const isSmall = note.length <= NOTE_BYTES_MAX && Buffer.byteLength(note) <= NOTE_BYTES_MAX;
  check(isSmall, 'too_large', `A note has at most ${NOTE_BYTES_MAX} bytes`);
  const whole = parseText(note);
  check(whole !== undefined, 'malformed_note', 'A note is UTF-8 without control characters');
  const blankLine = whole.lastIndexOf('\n\n');
  check(blankLine >= 0, 'malformed_note', 'A note has a blank line before its signatures');
  const signatures = parseSignatures(whole.slice(blankLine + 2));
  check(signatures !== undefined, 'malformed_note', 'A note ends in 1 to 100 lines of signatures');
  return { text: whole.slice(0, blankLine + 1), signatures };
}

/** Puts a note together. Refuses what `parseNote` would. */
export function formatNote({ text, signatures }: NoteParts): string {
  check(text.endsWith('\n'), 'malformed_note', 'The text of a note ends in a newline');
  const note = `${text}\n${signatures.map(formatSignature).join('')}`;
  parseNote(note);
  return note;
}
