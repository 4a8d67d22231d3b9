import { setTimeout as sleep } from 'node:timers/promises';
import { EventConnection, NO_ANSWER } from './event-connection';
import { EventRequests } from './event-requests';

/** What is sent: on each connection one request after the other, for so many seconds. */
export interface EventLoad {
  readonly port: number;
  /** Connections take these in turns, so that with several no tenant comes to its quota. */
  readonly writeKeys: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** Latencies and rates count behind these; what is sent meanwhile is acknowledged as well. */
  readonly warmUpSeconds: number;
  readonly events: number;
  /** Begins the ids of the messages. */
  readonly run: string;
  /** Requests a second of all connections together; absent: as many as are answered. */
  readonly perSecond?: number;
  /** Send each request so many times. */
  readonly copies?: number;
  /** Whether the ids of what was acknowledged and of what was not answered are kept. */
  readonly journal?: boolean;
}

/** What became of it. */
export interface LoadOutcome {
  /** Requests by status, those of the warm-up included; 0 is no answer. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Requests a second that were answered 200, behind the warm-up. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Ids of messages: those of requests that were answered 200, and of those that were not answered. */
  readonly acknowledged: readonly string[];
  readonly unknown: readonly string[];
  /** The CPU that the sending took, in seconds of a core. */
  readonly cpuSeconds: number;
}

/** Numbers of a connection: as many as it cannot come to. */
const NUMBERS_EACH = 10_000_000;
/** After a connection that was not there. */
const RETRY_MS = 20;

class Tally {
  readonly statuses: Record<number, number> = {};
  readonly latenciesMs: number[] = [];
  readonly acknowledged: string[] = [];
  readonly unknown: string[] = [];
}

/** Sends a load to its end, or until it is told to stop. */
export async function sendEvents(load: EventLoad, signal?: AbortSignal): Promise<LoadOutcome> {
  const tally = new Tally();
  const cpu = process.cpuUsage();
  const startsAtMs = performance.now();
  const lines = Array.from({ length: load.connections }, (_, line) =>
    sendOn(load, line, startsAtMs, tally, signal),
  );
  await Promise.all(lines);
  const { user, system } = process.cpuUsage(cpu);
  const tookMs = Math.min(performance.now() - startsAtMs, load.seconds * 1_000 + load.warmUpSeconds * 1_000);
  const sorted = tally.latenciesMs.toSorted((one, other) => one - other);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
  return {
    statuses: tally.statuses,
    perSecond: (sorted.length * 1_000) / Math.max(1, tookMs - load.warmUpSeconds * 1_000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    acknowledged: tally.acknowledged,
    unknown: tally.unknown,
    cpuSeconds: (user + system) / 1e6,
  };
}

async function sendOn(
  load: EventLoad,
  line: number,
  startsAtMs: number,
  tally: Tally,
  signal?: AbortSignal,
): Promise<void> {
  const { writeKeys, events, run, connections, copies = 1 } = load;
  const writeKey = writeKeys[line % writeKeys.length] ?? '';
  const requests = new EventRequests({ events, run, writeKey });
  const connection = new EventConnection(load.port);
  const countsFromMs = startsAtMs + load.warmUpSeconds * 1_000;
  const endsAtMs = countsFromMs + load.seconds * 1_000;
  const everyMs = load.perSecond === undefined ? 0 : (connections * 1_000) / load.perSecond;
  let request: Buffer = Buffer.alloc(0);
  let dueAtMs = startsAtMs + (line / connections) * everyMs;
  for (let sent = 0; ; sent += 1) {
    const waitMs = everyMs > 0 ? dueAtMs - performance.now() : 0;
    if (waitMs > 1) await sleep(waitMs);
    const sentAtMs = everyMs > 0 ? dueAtMs : performance.now();
    if (signal?.aborted || performance.now() >= endsAtMs) break;
    const first = line * NUMBERS_EACH + Math.floor(sent / copies) * events;
    // A copy is the same to the byte, as an SDK sends it again.
    if (sent % copies === 0) request = requests.write(first);
    const status = await connection.send(request);
    const answeredAtMs = performance.now();
    tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
    if (status === 200 && sentAtMs >= countsFromMs && answeredAtMs < endsAtMs)
      tally.latenciesMs.push(answeredAtMs - sentAtMs);
    if (load.journal) write(tally, requests, status, first, events);
    if (status === NO_ANSWER) await sleep(RETRY_MS);
    dueAtMs += everyMs;
  }
  connection.close();
}

function write(tally: Tally, requests: EventRequests, status: number, first: number, events: number): void {
  const list = status === 200 ? tally.acknowledged : status === NO_ANSWER ? tally.unknown : undefined;
  if (list) for (let n = 0; n < events; n += 1) list.push(requests.idOf(first + n));
}
