import { setTimeout as sleep } from 'node:timers/promises';
import { gauge } from '@holdfast/observability';
import { DIRTY_HOURS, FIND_HOURS, LAST_RUN, ROLL_UPS, RUN_ENDED } from './roll-ups.sql';
import { limitOf } from './query-too-large';
import { type ClickHouseEndpoint, TelemetryClient } from './telemetry-client';
import { TelemetryUnavailable } from './telemetry-unavailable';

/** What is told of roll-ups. */
export interface RollUpsOptions {
  /** Called with what a run failed of; the next one does its work as well. */
  readonly onError: (error: unknown) => void;
}

/** Reads show an event that came late within about this. */
const INTERVAL_SECONDS = 60;
/** Each process looks this often whether it is time, so that one that ends leaves no gap. */
const LOOK_MS = 15_000;
/** Rows become visible after the instant that they carry: an insert has 10 s with us, and may go on for a while at the server. */
const OVERLAP_MS = 120_000;
/** Hours that one statement counts: more of them need more memory, and a partition is a month. */
const SPAN_SECONDS = 24 * 3_600;
const HOUR_SECONDS = 3_600;
/** Parts of the tenants that an hour is counted in at most: by then a part is one large tenant. */
const PARTS_MAX = 1_024;
const DEADLINE_MS = 300_000;

const SETTINGS = {
  /** Sooner than we give it up, so that a statement that is too large says so. */
  max_execution_time: DEADLINE_MS / 1_000 - 30,
  /** What is counted goes to the disk when it outgrows this: a statement has several of them at once. */
  max_bytes_before_external_group_by: String(128 * 1024 * 1024),
  max_bytes_before_external_sort: String(128 * 1024 * 1024),
  /** Texts of many events at once are most of what a statement holds. */
  max_block_size: '16384',
} as const;

// What the store said last, going on by our own clock while it does not answer; absent before it has.
let lastRunMs: number | undefined;
gauge({
  name: 'holdfast_telemetry_roll_up_age_seconds',
  help: 'How long ago the last roll-up of tracked events began that has ended.',
  collect() {
    this.remove();
    if (lastRunMs !== undefined) this.set((Date.now() - lastRunMs) / 1_000);
  },
});

/** What the statements of a run share: when the last one began, when this one did, and from when on rows are unknown to the last. */
interface Run {
  readonly last: string;
  readonly now: string;
  readonly since: string;
}

/**
 * Rolls tracked events up into hours: events and unique users by tenant, hour, name and kind.
 *
 * A run counts anew, from rows without their copies, each hour that is over and has changed since the last run; which those are
 * follows from when rows were stored, so that no restart loses one. It may run in several processes at once, and be killed
 * anywhere: a run counts once it has ended, and the next one does over what it had begun.
 */
export class RollUps {
  private readonly client: TelemetryClient;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    endpoint: ClickHouseEndpoint,
    private readonly options: RollUpsOptions,
  ) {
    this.client = new TelemetryClient(endpoint, 1, DEADLINE_MS);
  }

  /** Runs about every minute, in one of all processes that do so. */
  start(): void {
    this.running = this.keepRunning();
  }

  /** Waits for the statement under way, and closes the client. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.client.close();
  }

  /** One run; answers how many hours it counted. Throws TelemetryUnavailable. */
  async run(): Promise<number> {
    const { last, now } = await this.lastRun();
    const run = { last, now, since: earlier(last, OVERLAP_MS) };
    const { signal } = this.stopping;
    const options = { parameters: run, settings: SETTINGS, signal };
    await this.client.change('roll_up', FIND_HOURS, options);
    const found = await this.client.look<{ hour: number }>('roll_up', DIRTY_HOURS, options);
    const hours = found.map(({ hour }) => hour);
    await this.rollUpSpans(run, spansOf(hours));
    await this.client.change('roll_up', RUN_ENDED, { parameters: { now, hours: hours.length }, signal });
    return hours.length;
  }

  /** One after the other; of one that is too much for a statement its halves, and of those after it as well. */
  private async rollUpSpans(run: Run, spans: readonly Span[]): Promise<void> {
    const left = [...spans];
    let secondsMax = SPAN_SECONDS;
    for (let span = left.shift(); span; span = left.shift()) {
      const seconds = span.to - span.from;
      if (seconds > secondsMax) {
        left.unshift(...halvesOf(span));
        continue;
      }
      try {
        await this.rollUp(run, span);
      } catch (error) {
        if (!isTooMuch(error) || span.parts >= PARTS_MAX) throw error;
        secondsMax = Math.max(seconds / 2, HOUR_SECONDS);
        left.unshift(...halvesOf(span));
      }
    }
  }

  private async rollUp(run: Run, span: Span): Promise<void> {
    const { signal } = this.stopping;
    const parameters = { ...run, ...span };
    for (const query of ROLL_UPS) {
      signal.throwIfAborted();
      await this.client.change('roll_up', query, { parameters, settings: SETTINGS, signal });
    }
  }

  private async lastRun(): Promise<{ readonly last: string; readonly now: string; readonly age: string }> {
    const [row] = await this.client.look<{ last: string; now: string; age: string }>('roll_up', LAST_RUN, {
      signal: this.stopping.signal,
    });
    if (!row) throw new Error('a statement without a row');
    lastRunMs = Date.now() - Number(row.age) * 1_000;
    return row;
  }

  private async keepRunning(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        if (Number((await this.lastRun()).age) >= INTERVAL_SECONDS) await this.run();
      } catch (error) {
        if (!signal.aborted) this.options.onError(error);
      }
      // Full jitter keeps processes that began together from looking together.
      await sleep(LOOK_MS * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => {}); // Stopped.
    }
  }
}

/** What one statement counts: a half-open range of seconds, and one of so many parts of the tenants. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly part: number;
  readonly parts: number;
}

/** Runs of hours of a day at most. */
function spansOf(hours: readonly number[]): Span[] {
  const spans: Span[] = [];
  for (const hour of hours) {
    const span = spans.at(-1);
    const to = hour + HOUR_SECONDS;
    if (span && hour < span.from + SPAN_SECONDS) spans[spans.length - 1] = { ...span, to };
    else spans.push({ from: hour, to, part: 0, parts: 1 });
  }
  return spans;
}

/** Its halves: of its hours, and of a single hour those of its tenants. */
function halvesOf({ from, to, part, parts }: Span): [Span, Span] {
  const middle = from + Math.ceil((to - from) / 2 / HOUR_SECONDS) * HOUR_SECONDS;
  if (middle < to)
    return [
      { from, to: middle, part, parts },
      { from: middle, to, part, parts },
    ];
  return [
    { from, to, part, parts: parts * 2 },
    { from, to, part: part + parts, parts: parts * 2 },
  ];
}

/** Whether a statement has hit a limit of time or memory, which half of it may not. */
function isTooMuch(error: unknown): boolean {
  return error instanceof TelemetryUnavailable && limitOf(error.cause, 'any') !== undefined;
}

/** An instant of ClickHouse's, some time before; its microseconds are left out, which makes it earlier still. */
function earlier(instant: string, byMs: number): string {
  const ms = Date.parse(`${instant.slice(0, 19).replace(' ', 'T')}Z`) - byMs;
  return new Date(Math.max(ms, 0)).toISOString().slice(0, 19).replace('T', ' ');
}
