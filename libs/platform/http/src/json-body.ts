import { DomainError } from '@holdfast/kernel';
import type { FastifyInstance } from 'fastify';

/** Objects and arrays may be nested this deep: far beyond any input here, and harmless to walk. */
const DEPTH_MAX = 32;

/** The body is not JSON, or is JSON that no client sends in good faith. */
export class MalformedBody extends DomainError {
  readonly code = 'request.malformed';
  readonly kind = 'malformed';
}

/**
 * Reads JSON bodies strictly: well-formed UTF-8 and JSON, at most 32 levels deep, no `__proto__` key, no key
 * twice, no integer beyond ±(2^53−1), no NUL character (PostgreSQL's text cannot hold one). Other media types are refused by Fastify with 415.
 */
export function readStrictJson(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseStrictJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The value of a strict JSON text; throws MalformedBody. */
export function parseStrictJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  const text = decode(body);
  try {
    checkStructure(text);
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new MalformedBody('The body has a key that is not allowed.');
      if (typeof value === 'string' && !acceptable(value))
        throw new MalformedBody('A text in the body holds NUL or half a character.');
      if (typeof value === 'number' && !exact(value))
        throw new MalformedBody('A number in the body is larger than JSON carries exactly. Send it as text.');
      return value;
    });
  } catch (error) {
    throw error instanceof MalformedBody ? error : new MalformedBody('The body is not well-formed JSON.');
  }
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new MalformedBody('The body is not UTF-8.');
  }
}

/** Whether the number is what was written: beyond ±(2^53−1) neighbouring integers read alike. */
export function exact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

function acceptable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/**
 * Walks the text once, before anything recursive touches it: no deeper than allowed, and no key twice in an object, of
 * which JSON.parse would silently keep the last. Whether it is JSON at all is for JSON.parse to say.
 */
function checkStructure(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"') {
      const end = endOfString(text, i);
      if (expectsKey) addKey(open.at(-1), text.slice(i, end + 1));
      expectsKey = false;
      i = end;
    } else if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined);
      if (open.length > DEPTH_MAX)
        throw new MalformedBody(`The body is nested deeper than ${DEPTH_MAX} levels.`);
      expectsKey = character === '{';
    } else if (character === '}' || character === ']') open.pop();
    else if (character === ',') expectsKey = open.at(-1) !== undefined;
  }
}

function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

function addKey(keys: Set<string> | undefined, quoted: string): void {
  // Two spellings of one key, with and without escapes, are the same key.
  const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  if (keys?.has(key)) throw new MalformedBody('The body has a key twice in one object.');
  keys?.add(key);
}
