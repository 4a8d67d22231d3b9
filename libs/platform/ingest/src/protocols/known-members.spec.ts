import { isAscii } from 'node:buffer';
import { Random } from '@holdfast/testing';
import { KnownMembers, RawObject, readKnownMembers } from './known-members';

const EVENT_BYTES_MAX = 32 * 1024;
const NAMES = [
  'type',
  'event',
  'userId',
  'messageId',
  'timestamp',
  'properties',
  'context',
  'other',
  'batch',
  '',
];
const STRINGS = [
  '',
  'u1',
  'ünï ✓',
  'a "quoted" \\ text',
  'tab\t',
  '😀',
  'x'.repeat(300),
  '\u007f',
  '__proto__',
];
const NUMBERS = [0, -0, 1, -17, 129.9, 1e300, 1.5e-7, 2 ** 70];

const read = (text: string): KnownMembers | undefined => {
  const units = Buffer.from(text, 'utf16le');
  const codes = isAscii(Buffer.from(text))
    ? Buffer.from(text)
    : new Uint16Array(units.buffer, units.byteOffset, text.length);
  return readKnownMembers(text, codes, EVENT_BYTES_MAX);
};

function valueOf(random: Random, levels: number): unknown {
  const kind = random.between(0, levels > 0 ? 5 : 3);
  if (kind === 0) return random.pick(STRINGS);
  if (kind === 1) return random.pick(NUMBERS);
  if (kind === 2) return random.pick([true, false, null]);
  if (kind === 3) return random.pick(STRINGS);
  if (kind === 4) return Array.from({ length: random.between(0, 3) }, () => valueOf(random, levels - 1));
  return objectOf(random, levels - 1);
}

function objectOf(random: Random, levels: number): object {
  return Object.fromEntries(
    Array.from({ length: random.between(0, 6) }, () => [random.pick(NAMES), valueOf(random, levels)]),
  );
}

/** The text with a character more, less, or another in the place of one. */
function broken(random: Random, text: string): string {
  const at = random.between(0, text.length - 1);
  const other = random.pick([
    '',
    ' ',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '0',
    '-',
    '.',
    'e',
    '\n',
    '\\u0041',
    'null',
  ]);
  return text.slice(0, at) + other + text.slice(at + random.between(0, 1));
}

/** What was read has to be what JSON.parse makes of the same text. */
function expectSame(known: KnownMembers, parsed: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(known).filter(([member]) => NAMES.includes(member))) {
    if (name === 'batch' && Array.isArray(value) && value.every((event) => event instanceof KnownMembers)) {
      const events = parsed['batch'] as Record<string, unknown>[];
      expect(value).toHaveLength(events.length);
      value.forEach((event, place) => expectSame(event, events[place] ?? {}));
    } else expect(value instanceof RawObject ? value.toJSON() : value).toEqual(parsed[name]);
  }
  expect(known.toJSON()).toEqual(parsed);
}

describe('Known members', () => {
  it('are what JSON.parse reads, of texts that are JSON and of none that are not', () => {
    const seed = Number(process.hrtime.bigint() % 1_000_000_000n);
    const random = new Random(seed);
    let taken = 0;
    for (let turn = 0; turn < 6_000; turn += 1) {
      const events = Array.from({ length: random.between(0, 3) }, () => objectOf(random, 3));
      const whole = JSON.stringify(random.pick([{ batch: events, sentAt: 'now' }, objectOf(random, 3)]));
      const text = random.next() < 0.3 ? whole : broken(random, whole);
      const known = read(text);
      if (!known) continue;
      taken += 1;
      try {
        expectSame(known, JSON.parse(text) as Record<string, unknown>);
      } catch (err) {
        throw new Error(`seed ${seed}: ${text}`, { cause: err });
      }
    }
    expect(taken).toBeGreaterThan(1_200);
  });

  it('leave objects as they were sent', () => {
    const properties = '{"big":12345678901234567890123, "a":[1.0,{"a":2}],"a":1}';
    const known = read(`{"event":"E","properties":${properties}}`);
    expect(known?.properties).toEqual(new RawObject(properties));
  });

  it.each([
    ['what is no object', '[]'],
    ['an escape that can spell what is not kept', '{"event":"\\u0000"}'],
    ['a line break', '{"event":"E",\n"userId":"u"}'],
    ['many levels', `{"properties":${'['.repeat(41)}${']'.repeat(41)}}`],
    ['a depth that no stack has', `{"properties":${'{"a":'.repeat(100_000)}`],
    ['an event that is larger than one may be', `{"batch":[{"event":"${'x'.repeat(EVENT_BYTES_MAX)}"}]}`],
    ['one that may be larger in UTF-8', `{"batch":[{"event":"${'✓'.repeat(EVENT_BYTES_MAX / 3)}"}]}`],
    ['an event that is none', '{"batch":[7]}'],
    ['what comes behind', '{"event":"E"} {}'],
  ])('leave %s to others', (_, text) => {
    expect(read(text)).toBeUndefined();
  });
});
