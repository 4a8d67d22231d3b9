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
 * Reads JSON bodies strictly: well-formed UTF-8 and JSON, at most 32 levels deep, no `__proto__` key, no NUL character
 * (PostgreSQL's text cannot hold one). Other media types are refused by Fastify with 415.
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
  if (deeperThan(text, DEPTH_MAX))
    throw new MalformedBody(`The body is nested deeper than ${DEPTH_MAX} levels.`);
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new MalformedBody('The body has a key that is not allowed.');
      if (typeof value === 'string' && !acceptable(value))
        throw new MalformedBody('A text in the body holds NUL or half a character.');
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

function acceptable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** Counts brackets outside strings, so that the depth is known before anything recursive touches the text. */
function deeperThan(text: string, max: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charCodeAt(i);
    if (quoted) {
      if (character === 0x5c) i += 1;
      else if (character === 0x22) quoted = false;
    } else if (character === 0x22) quoted = true;
    else if (character === 0x5b || character === 0x7b) {
      depth += 1;
      if (depth > max) return true;
    } else if (character === 0x5d || character === 0x7d) depth -= 1;
  }
  return false;
}
