import { DomainError, type InputFault } from '@holdfast/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Objects and arrays may be nested this deep: far beyond any input here, and harmless to walk. */
const DEPTH_MAX = 32;
/** An object may have this many keys. Each costs a place in a set here, and a fault where it is unknown. */
const KEYS_MAX = 1_000;

/** The body is not JSON, or is JSON that no client sends in good faith. */
export class MalformedBody extends DomainError {
  readonly code = 'request.malformed';
  readonly kind = 'malformed';
  override readonly errors: readonly InputFault[];

  /** `pointer` is where in the body; that of the whole body where it cannot be told. */
  constructor(message: string, pointer = '') {
    super(message);
    this.errors = [{ pointer, code: 'malformed', message }];
  }
}

/** The body is compressed, or in another character set than JSON has. */
export class UnsupportedEncoding extends DomainError {
  readonly code = 'request.unsupported_encoding';
  readonly kind = 'unsupported';

  constructor() {
    super('Send the body as it is, in UTF-8: neither compressed nor in another character set.');
  }
}

/**
 * Reads JSON bodies strictly: well-formed UTF-8 and JSON, at most 32 levels deep, no `__proto__` key, no key
 * twice nor more than 1,000 in an object, no integer beyond ±(2^53−1), no NUL character (PostgreSQL's text cannot hold one). Other media types are refused
 * by Fastify with 415, and what is compressed here: no small body becomes a large one.
 */
export function readStrictJson(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      refuseEncoding(request);
      done(null, parseStrictJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

function refuseEncoding({ headers }: FastifyRequest): void {
  const coding = headers['content-encoding'] ?? 'identity';
  const [, charset = 'utf-8'] = /;\s*charset="?([^";\s]*)/i.exec(headers['content-type'] ?? '') ?? [];
  if (coding !== 'identity' || charset.toLowerCase() !== 'utf-8') throw new UnsupportedEncoding();
}

/** The value of a strict JSON text; throws MalformedBody. */
export function parseStrictJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  const text = decode(body);
  try {
    new Inspection(text).run();
    return JSON.parse(text);
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

/** An object or array that is open: its keys so far, none of an array, and the key or index that is being read. */
interface Level {
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
}

/** The characters of JSON by their UTF-16 code: comparing numbers takes a tenth of the time of comparing texts. */
const CODE = {
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  point: 0x2e,
  zero: 0x30,
  nine: 0x39,
  E: 0x45,
  bracket: 0x5b,
  backslash: 0x5c,
  bracketEnd: 0x5d,
  e: 0x65,
  brace: 0x7b,
  braceEnd: 0x7d,
} as const;

/**
 * Walks a text once, before anything else touches it, and refuses what JSON.parse would take: any depth, a key twice, of
 * which it silently keeps the last, and the values that are listed above. Whether it is JSON at all is for JSON.parse to
 * say, which sees the same text: where the two could differ, on what is no JSON, it refuses.
 */
class Inspection {
  private readonly open: Level[] = [];
  private expectsKey = false;

  constructor(private readonly text: string) {}

  run(): void {
    const { text } = this;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code === CODE.quote) i = this.readString(i);
      else if (code === CODE.brace || code === CODE.bracket) this.enter(code === CODE.brace);
      else if (code === CODE.braceEnd || code === CODE.bracketEnd) this.open.pop();
      else if (code === CODE.comma) this.beginNext();
      else if (code === CODE.minus || isDigit(code)) i = this.readNumber(i);
    }
  }

  private enter(isObject: boolean): void {
    this.open.push({ keys: isObject ? new Set() : undefined, key: '', index: 0 });
    this.expectsKey = isObject;
    if (this.open.length > DEPTH_MAX)
      throw new MalformedBody(`The body is nested deeper than ${DEPTH_MAX} levels.`);
  }

  private beginNext(): void {
    const level = this.open.at(-1);
    this.expectsKey = level?.keys !== undefined;
    if (level) level.index += 1;
  }

  /** Looks at the text whose opening quote is at `start`, and answers where it ends. */
  private readString(start: number): number {
    const { text } = this;
    let end = start + 1;
    let isEscaped = false;
    for (let code = 0; end < text.length && (code = text.charCodeAt(end)) !== CODE.quote; end += 1) {
      if (code !== CODE.backslash) continue;
      isEscaped = true;
      end += 1;
    }
    // Decoded UTF-8 holds no half characters and JSON no bare NUL: only an escape can stand for one.
    if (!isEscaped && !this.expectsKey) return end;
    const raw = text.slice(start, end + 1);
    // Two spellings of one key, with and without escapes, are the same key.
    const value = isEscaped ? String(JSON.parse(raw)) : raw.slice(1, -1);
    if (this.expectsKey) this.addKey(value);
    this.expectsKey = false;
    if (value.includes('\u0000') || !value.isWellFormed())
      this.refuse('A text in the body holds NUL or half a character.');
    return end;
  }

  private addKey(key: string): void {
    const level = this.open.at(-1);
    if (!level?.keys) return;
    level.key = key;
    if (level.keys.has(key)) this.refuse('The body has a key twice in one object.');
    if (key === '__proto__') this.refuse('The body has a key that is not allowed.');
    level.keys.add(key);
    if (level.keys.size > KEYS_MAX) this.refuse(`An object in the body has more than ${KEYS_MAX} keys.`);
  }

  /** Looks at the number that begins at `start`, and answers where it ends. */
  private readNumber(start: number): number {
    const { text } = this;
    let end = start + 1;
    let isExponential = false;
    for (let code = 0; end < text.length && isOfNumber((code = text.charCodeAt(end))); end += 1)
      isExponential ||= code === CODE.e || code === CODE.E;
    // Fifteen digits are exact.
    if ((isExponential || end - start > 15) && !exact(Number(text.slice(start, end))))
      this.refuse('A number in the body is larger than JSON carries exactly. Send it as text.');
    return end - 1;
  }

  private refuse(message: string): never {
    const steps = this.open.map(({ keys, key, index }) => pointerTo(keys ? key : String(index)));
    throw new MalformedBody(message, steps.join(''));
  }
}

function isDigit(code: number): boolean {
  return code >= CODE.zero && code <= CODE.nine;
}

function isOfNumber(code: number): boolean {
  const { minus, plus, point, e, E } = CODE;
  return isDigit(code) || code === minus || code === plus || code === point || code === e || code === E;
}

/** One step of a JSON Pointer (RFC 6901). What is no text could not be written out. */
function pointerTo(key: string): string {
  const escaped = key.replaceAll('~', '~0').replaceAll('/', '~1');
  return `/${escaped.toWellFormed().replaceAll('\u0000', '\ufffd')}`;
}
