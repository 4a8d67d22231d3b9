import { codeOf, isDone, type Reply, UUID } from './route';

const ANY_UUID = new RegExp(UUID, 'gi');
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** What stands for nobody: the nil id, and in examples an id of a moment at which nothing was made, a key of no random signs. */
const EXAMPLE = /^(?:0{8}-(?:0{4}-){3}0{12}$|019a0000-0000-7000-8000-0000|hf_[a-z]+_0+$)/;
/** Keys and tokens, write keys in base64url among them, and the secrets of webhooks, which are base64. */
const SECRET = /\b(?:hf[a-z]*_[A-Za-z0-9_-]{4,}|wh(?:sec|pk)_[A-Za-z0-9+/=]{4,})/g;
/** What differs between any two answers, or repeats what was asked. */
const OF_THE_REQUEST = new Set(['requestId', 'instance']);
/** Headers whose value is the request's, the clock's or a counter's. */
const COMPARED_HEADERS = [
  'content-type',
  'retry-after',
  'www-authenticate',
  'cache-control',
  'idempotency-replayed',
];

/**
 * What tells the answer about a foreign object from the answer about one that never was: differences that the asker could
 * see. Empty when there are none.
 */
export function judgeForeignAnswer(foreign: Reply, unknown: Reply): string[] {
  const faults: string[] = [];
  if (foreign.status !== unknown.status)
    faults.push(
      `status ${foreign.status} ${codeOf(foreign) ?? ''}, unknown ${unknown.status} ${codeOf(unknown) ?? ''}`,
    );
  else if (canonical(foreign.body) !== canonical(unknown.body))
    faults.push(`body ${difference(canonical(foreign.body), canonical(unknown.body))}`);
  for (const name of COMPARED_HEADERS) {
    const [one, other] = [foreign, unknown].map(({ headers }) => String(headers[name]));
    if (one !== other) faults.push(`header ${name} ${one}, unknown ${other}`);
  }
  if (Boolean(foreign.headers['etag']) !== Boolean(unknown.headers['etag']))
    faults.push('an etag on one of them');
  return faults;
}

/** The answer with what every answer has of its own made equal. Texts are compared: a service says why in them. */
function canonical(body: unknown): string {
  const text = JSON.stringify(sorted(body)) ?? '';
  return text
    .replaceAll(ANY_UUID, '<id>')
    .replaceAll(INSTANT, '<instant>')
    .replaceAll(SECRET, '<secret>')
    .replaceAll(/"version":"\d+"/g, '"version":"<version>"')
    .replaceAll(/(Text of )?canary-[a-z]+[- ]\d+/g, '<text>');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .filter(([name]) => !OF_THE_REQUEST.has(name))
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, inner]) => [name, ITS_OWN.has(name) && inner ? `<${name}>` : sorted(inner)] as const);
  return Object.fromEntries(entries);
}

/** What moves on with every change and every page. */
const ITS_OWN = new Set(['nextCursor', 'cursor', 'startCursor', 'endCursor', 'version']);

/** Where two texts part, with a few words around. */
function difference(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const around = (text: string): string => text.slice(Math.max(0, at - 60), at + 120);
  return `…${around(one)}…, unknown …${around(other)}…`;
}

/** Everything of a tenant that must never be shown to another: ids, secrets, cursors, and every text with its mark. */
export class Canaries {
  private readonly known = new Set<string>();
  /** What was last shown under each name. */
  readonly named = new Map<string, string>();

  constructor(private readonly mark: string) {}

  get size(): number {
    return this.known.size;
  }

  /** Learns from what the tenant itself is shown. */
  learn({ text }: Reply): void {
    for (const [, name, value] of text.matchAll(/"(\w+)":"([^"\\]+)"/g)) this.named.set(name!, value!);
    for (const pattern of [ANY_UUID, SECRET])
      for (const [found] of text.matchAll(pattern)) if (!EXAMPLE.test(found)) this.known.add(found);
    for (const [, cursor] of text.matchAll(/"(?:nextCursor|cursor|endCursor)":"([^"]+)"/g))
      this.known.add(cursor!);
  }

  /** What of the tenant occurs in the answer, but for the path that the asker has named. */
  in({ body, text }: Reply): string[] {
    const { instance } = (body ?? {}) as { instance?: string };
    const shown = instance === undefined ? text : text.replace(JSON.stringify(instance), '');
    const found = [...shown.matchAll(ANY_UUID), ...shown.matchAll(SECRET), ...shown.matchAll(/[\w-]{20,}/g)]
      .map(([each]) => each)
      .filter((each) => this.known.has(each));
    if (shown.includes(this.mark)) found.push(this.mark);
    return [...new Set(found)];
  }
}

/** Milliseconds in the middle of several tries. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

/**
 * Whether two answers take times of different classes: by a factor that no noise explains, and by more than what a pause
 * of the garbage collector takes. A lock that is waited for, or work that is only done for what exists, is beyond both.
 */
export function differInTime(one: number, other: number): boolean {
  const [less, more] = [Math.min(one, other), Math.max(one, other)];
  return more > less * 4 && more - less > 8;
}

/** Says how a request ended, for a message. */
export function describeReply(reply: Reply): string {
  return isDone(reply)
    ? `${reply.status}`
    : `${reply.status} ${codeOf(reply) ?? ''} ${reply.text.slice(0, 300)}`;
}
