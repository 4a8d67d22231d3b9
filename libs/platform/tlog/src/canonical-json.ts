import { TlogError } from './tlog.errors';

/** Values within values. What is nested more deeply is a mistake or an attack, and would exhaust the stack. */
const DEPTH_MAX = 200;

/** Text that JSON writes as it is: all of it printable ASCII but the quote and the backslash. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * The canonical text of a JSON value, RFC 8785: no white space, names sorted by their UTF-16 code units, numbers and
 * strings as ECMAScript writes them. Hash its UTF-8.
 *
 * Throws `not_canonical` for what JSON has no text for: undefined (also within objects), functions, symbols, bigints,
 * numbers that are not finite, lone surrogates, and objects that are neither plain nor arrays. Throws `too_large` for
 * more than 200 values within each other, a value that holds itself among them.
 */
export const canonicalJson = (value: unknown): string => write(value, 0);

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TlogError('not_canonical', 'A number is not finite');
      return `${value}`;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= DEPTH_MAX) throw new TlogError('too_large', `More than ${DEPTH_MAX} values in each other`);
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    default:
      throw new TlogError('not_canonical', `JSON has no text for a value of type ${typeof value}`);
  }
}

function writeString(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new TlogError('not_canonical', 'A text has half of a surrogate pair');
  return JSON.stringify(value);
}

function writeArray(values: readonly unknown[], depth: number): string {
  let text = '[';
  for (let at = 0; at < values.length; at++) {
    if (at > 0) text += ',';
    text += write(values[at], depth + 1);
  }
  return `${text}]`;
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Those of another realm, as in a test runner, have an Object.prototype of their own, which has no prototype either.
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function writeObject(value: object, depth: number): string {
  if (!isPlain(value)) throw new TlogError('not_canonical', 'An object is neither plain nor an array');
  const names = sortedNames(value);
  let text = '{';
  for (const name of names) {
    if (text.length > 1) text += ',';
    text += `${writeString(name)}:${write(value[name], depth + 1)}`;
  }
  return `${text}}`;
}

/** JavaScript compares strings by their UTF-16 code units, as the RFC wants. Most objects are sorted as they come. */
function sortedNames(value: object): string[] {
  const names = Object.keys(value);
  for (let at = 1; at < names.length; at++) {
    if ((names[at - 1] as string) > (names[at] as string)) return names.toSorted();
  }
  return names;
}
