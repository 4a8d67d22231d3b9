import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventConnection, NO_ANSWER } from '../../../../libs/platform/ingest/test/event-connection';

/** A tenant as a process that sends load needs it. */
export interface LoadTenant {
  readonly key: string;
  readonly debitAccountId: string;
  readonly creditAccountId: string;
}

/** What is sent: on each connection one request after the other, to the ports in turns, for so many seconds. */
export interface ApiLoad {
  readonly ports: readonly number[];
  readonly tenants: readonly LoadTenant[];
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second of all connections together; absent: as many as are answered. */
  readonly perSecond?: number;
}

/** What became of the requests of a second, or of all. */
export interface Tally {
  /** By status; 0 is no answer. */
  readonly statuses: Record<number, number>;
  /** Answered with success in time. */
  good: number;
  /** From when a request was sent: where all connections are busy, those that are due wait in no line but the sender's own. */
  readonly goodMs: number[];
  readonly refusedMs: number[];
}

/** Of a whole load, second by second as well. */
export interface LoadOutcome {
  readonly whole: Tally;
  readonly seconds: readonly Tally[];
  readonly cpuSeconds: number;
}

/** A person waits this long, and a client that calls for one. What is answered later is no good to them. */
const GOOD_WITHIN_MS = 1_000;
/** One request in so many posts a transfer; the others read an account. */
const WRITE_EVERY = 4;
const RETRY_MS = 20;

/** Sends a load to its end, or until it is told to stop. */
export async function sendLoad(load: ApiLoad, signal?: AbortSignal): Promise<LoadOutcome> {
  const [whole, seconds]: [Tally, Tally[]] = [emptyTally(), []];
  const cpu = process.cpuUsage();
  const startsAtMs = performance.now();
  const note = (status: number, sentAtMs: number): void => {
    const now = performance.now();
    const second = (seconds[Math.floor((now - startsAtMs) / 1_000)] ??= emptyTally());
    for (const tally of [whole, second]) add(tally, status, now - sentAtMs);
  };
  await Promise.all(
    Array.from({ length: load.connections }, (_, line) => sendOn(load, line, startsAtMs, note, signal)),
  );
  const { user, system } = process.cpuUsage(cpu);
  const complete = Array.from(seconds, (second) => second ?? emptyTally());
  return { whole, seconds: complete, cpuSeconds: (user + system) / 1e6 };
}

function emptyTally(): Tally {
  return { statuses: {}, good: 0, goodMs: [], refusedMs: [] };
}

function add(tally: Tally, status: number, tookMs: number): void {
  tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
  if (status === 503) tally.refusedMs.push(tookMs);
  if (status < 200 || status >= 300) return;
  tally.goodMs.push(tookMs);
  if (tookMs <= GOOD_WITHIN_MS) tally.good += 1;
}

async function sendOn(
  { ports, tenants, connections, seconds, perSecond }: ApiLoad,
  line: number,
  startsAtMs: number,
  note: (status: number, sentAtMs: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const connection = new EventConnection(ports[line % ports.length] ?? 0);
  const tenant = tenants[line % tenants.length];
  if (!tenant) throw new Error('a load without tenants');
  const endsAtMs = startsAtMs + seconds * 1_000;
  const everyMs = perSecond === undefined ? 0 : (connections * 1_000) / perSecond;
  let dueAtMs = startsAtMs + (line / connections) * everyMs;
  for (let sent = line; ; sent += 1) {
    const waitMs = everyMs > 0 ? dueAtMs - performance.now() : 0;
    if (waitMs > 1) await sleep(waitMs);
    const sentAtMs = performance.now();
    if (signal?.aborted || sentAtMs >= endsAtMs) break;
    const status = await connection.send(sent % WRITE_EVERY === 0 ? transferOf(tenant) : readOf(tenant));
    note(status, sentAtMs);
    if (status === NO_ANSWER) await sleep(RETRY_MS);
    dueAtMs += everyMs;
  }
  connection.close();
}

function readOf({ key, debitAccountId }: LoadTenant): Buffer {
  return Buffer.from(
    `GET /v1/ledger/accounts/${debitAccountId} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer ${key}\r\n\r\n`,
  );
}

function transferOf({ key, debitAccountId, creditAccountId }: LoadTenant): Buffer {
  const body = JSON.stringify({ debitAccountId, creditAccountId, amount: '1' });
  const head = [
    'POST /v1/ledger/transfers HTTP/1.1',
    'host: api',
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    `idempotency-key: ${randomUUID()}`,
    `content-length: ${body.length}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The value that a share of them is below. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}
