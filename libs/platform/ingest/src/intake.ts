import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { newId, type PlanName, PLANS } from '@holdfast/kernel';
import { LRUCache } from 'lru-cache';
import { Accounting, type CountChange } from './accounting';
import { EventQuota } from './event-quota';
import { countIntake } from './ingest-metrics';
import { Lane } from './lane';
import { PackedRun } from './packed-run';
import { bytesOfRow } from './ring';
import { Spill } from './spill';
import type { TelemetryRow, TelemetrySink } from './telemetry-sink';
import { sharedColumns, trackedLine } from './tracked-line';
import type { DropReason, Priority, TrackedEvent } from './tracked-event';
import type { WriteKeyHolder } from './write-key';

/** What the intake of a process needs. */
export interface IntakeOptions {
  /** Each event goes to each of these. */
  readonly sinks: readonly TelemetrySink[];
  /** The plan of a key's tenant, as far as it is known. */
  readonly planOf: (holder: WriteKeyHolder) => PlanName;
  /** Whether the tenant is erased: what is under way of it is not stored. */
  readonly isErased?: (tenantId: string) => boolean;
  /** Where rows are spilled: a directory for each sink is made in it. */
  readonly directory: string;
  /** On disk, for each sink. */
  readonly spillBytesMax: number;
  /** In memory, for each sink. */
  readonly ringBytesMax: number;
  /** Whether events for which there is no room are answered as taken, and counted, or refused, to be sent again. */
  readonly shed: 'ack' | '429';
  readonly report: (error: unknown, doing: string) => void;
}

/** What became of a request's events. */
export interface Acceptance {
  readonly accepted: number;
  readonly dropped: number;
  /** The request is to be refused with 429, and may be repeated after so long: nothing of it was taken. */
  readonly retryAfterMs?: number;
  /** Whether that is for the tenant's quota, and not for want of room. */
  readonly isOverQuota?: boolean;
}

/** An entry of the ring takes some hundred bytes: so many small rows are as much as the limit in bytes. */
const BYTES_PER_ROW = 256;
/** Clocks of senders that are right differ by seconds; an hour is a wrong time zone. */
const FUTURE_MAX_MS = 3_600_000;
const DAY_MS = 86_400_000;
const RETRY_OVERLOAD_MS = 1_000;
const MINUTE_MS = 60_000;
/** Of what is dropped, one in a second for each tenant and reason is kept to look at, and so much of it. */
const SAMPLE_EVERY_MS = 1_000;
const SAMPLE_LENGTH = 1_024;
const SAMPLES_MAX = 1_000;
/** Of one tenant in a minute, so that a few that send garbage leave room for the others' samples. */
const SAMPLES_OF_TENANT_MAX = 60;
const ROWS_ASIDE_MAX = 5_000;
const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];
/** A row that a store refuses does not say here by which key it came. */
const NO_KEY = '00000000-0000-0000-0000-000000000000';

/**
 * Takes events from requests and hands them to the lanes of the stores. Synchronous: no request waits for a disk or a store.
 *
 * Events are received, then dropped for a reason that is counted, or in flight in every lane: see Accounting for the identity that
 * holds at any instant.
 */
export class Intake {
  readonly door = new Accounting();
  readonly lanes: readonly Lane[];
  private readonly quota = new EventQuota();
  private readonly processId = newId();
  private readonly sampled = new LRUCache<string, number>({ max: 10_000 });
  private samples: TelemetryRow[] = [];
  private readonly samplesOf = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: IntakeOptions) {
    const { ringBytesMax, spillBytesMax, directory, report } = options;
    const ring = { bytesMax: ringBytesMax, rowsMax: Math.ceil(ringBytesMax / BYTES_PER_ROW) };
    this.lanes = options.sinks.map((sink) => {
      const spill = new Spill({
        ...{ directory: join(directory, 'spill', sink.name), bytesMax: spillBytesMax, report },
      });
      const onRefused = ({ tenantId, line }: TelemetryRow): void =>
        this.sample(tenantId, NO_KEY, 'refused', line);
      const { isErased } = options;
      return new Lane({ sink, spill, ring, report, onRefused, ...(isErased && { isErased }) });
    });
  }

  /** Finds what an earlier process has spilled, and begins to store. */
  start(): void {
    for (const lane of this.lanes) lane.start();
    countIntake(this);
    this.timer = setInterval(() => this.tell(), MINUTE_MS);
  }

  /** Takes the events of a request. Never throws and never waits. */
  accept(holder: WriteKeyHolder, events: readonly TrackedEvent[], nowMs: number): Acceptance {
    const { tenantId } = holder;
    const plan = this.options.planOf(holder);
    this.door.add(tenantId, 'received', events.length);
    const retryAfterMs = this.quota.take(tenantId, plan, events.length);
    if (retryAfterMs > 0) {
      this.door.add(tenantId, 'quota', events.length);
      return { accepted: 0, dropped: events.length, retryAfterMs, isOverQuota: true };
    }
    const runs = this.runsOf(holder, plan, events, nowMs);
    const rows = runs.reduce((sum, { count }) => sum + count, 0);
    // What is sent again as a whole must not have been taken in part: what has no id would count twice.
    if (this.options.shed === '429' && !this.fits(runs)) {
      this.door.add(tenantId, 'overload', rows);
      return { accepted: 0, dropped: events.length, retryAfterMs: RETRY_OVERLOAD_MS };
    }
    let taken = rows;
    for (const lane of this.lanes) taken = Math.min(taken, lane.offer(tenantId, runs));
    return { accepted: taken, dropped: events.length - taken };
  }

  /**
   * Whether every lane would take all of them. It is asked for as much as they are together, and a row more, since rows differ in their
   * size, with the priority of the least of them, which is the last.
   */
  private fits(runs: readonly PackedRun[]): boolean {
    const last = runs.at(-1);
    if (!last) return true;
    const count = runs.reduce((sum, run) => sum + run.count, 0);
    const bytes = runs.reduce((sum, run) => sum + bytesOfRow(run), 0);
    const more = { tenantId: last.tenantId, priority: last.priority, count: count + 1 };
    return this.lanes.every((lane) => lane.fits(more, (bytes / count) * more.count));
  }

  /** Counts what no event could be read from. `sample`: the beginning of it, for the tenant to look at. */
  reject(holder: WriteKeyHolder, reason: DropReason, events: number, sample?: string): void {
    this.door.add(holder.tenantId, 'received', events);
    this.door.add(holder.tenantId, reason, events);
    if (sample !== undefined) this.sample(holder.tenantId, holder.keyId, reason, sample);
  }

  /** Stores what is in memory within the time, and spills the rest. Whatever comes later is dropped. */
  async drain(deadlineMs: number): Promise<void> {
    const endsAtMs = Date.now() + deadlineMs;
    clearInterval(this.timer);
    await Promise.all(this.lanes.map((lane) => lane.drain(deadlineMs)));
    // Where everything is by now: nobody else tells it.
    this.tell();
    await Promise.all(this.lanes.map((lane) => lane.drain(endsAtMs - Date.now())));
  }

  /** Writes what has changed, and the samples, to the stores: a tenant reads there what became of its events. */
  tell(): void {
    const at = new Date().toISOString();
    const places = [{ name: '', accounting: this.door }, ...this.lanes];
    const rows = places.flatMap(({ name, accounting }) =>
      accounting.takeChanges().map((change) => this.minuteRow(at, name, change)),
    );
    const samples = this.samples;
    this.samples = [];
    this.samplesOf.clear();
    for (const lane of this.lanes) {
      for (let start = 0; start < rows.length; start += ROWS_ASIDE_MAX)
        lane.offerAside('ingest_minutes', rows.slice(start, start + ROWS_ASIDE_MAX));
      lane.offerAside('bad_rows', samples);
    }
  }

  private runsOf(
    holder: WriteKeyHolder,
    plan: PlanName,
    events: readonly TrackedEvent[],
    nowMs: number,
  ): PackedRun[] {
    const { tenantId, keyId } = holder;
    const keepDays = PLANS[plan].telemetryKeepDays;
    const earliestMs = nowMs - keepDays * DAY_MS;
    const lines: Record<Priority, string[]> = { high: [], normal: [], low: [] };
    const shared = sharedColumns(holder, nowMs, keepDays);
    for (const event of events) {
      const untimely = this.untimely(event.atMs, earliestMs, nowMs);
      const line = untimely ? undefined : trackedLine(event, shared);
      if (line === undefined) {
        const reason = untimely ?? 'invalid';
        this.door.add(tenantId, reason, 1);
        this.sample(tenantId, keyId, reason, event.name);
      } else lines[event.priority].push(line);
    }
    return PRIORITIES.filter((priority) => lines[priority].length > 0).map(
      (priority) => new PackedRun(tenantId, priority, lines[priority]),
    );
  }

  /** Why an event of this time is not taken. Later than that it is kept as it says: its month may be over, its days are not. */
  private untimely(atMs: number, earliestMs: number, nowMs: number): DropReason | undefined {
    if (atMs > nowMs + FUTURE_MAX_MS) return 'future';
    return atMs < earliestMs ? 'late' : undefined;
  }

  private sample(tenantId: string, keyId: string, reason: DropReason, sample: string): void {
    const nowMs = Date.now();
    const key = `${tenantId} ${reason}`;
    const count = this.samplesOf.get(tenantId) ?? 0;
    if (nowMs - (this.sampled.get(key) ?? 0) < SAMPLE_EVERY_MS) return;
    if (this.samples.length >= SAMPLES_MAX || count >= SAMPLES_OF_TENANT_MAX) return;
    this.sampled.set(key, nowMs);
    this.samplesOf.set(tenantId, count + 1);
    const line = JSON.stringify({
      tenant_id: tenantId,
      at: new Date(nowMs).toISOString(),
      id: randomUUID(),
      key_id: keyId,
      reason,
      sample: sample.slice(0, SAMPLE_LENGTH).toWellFormed(),
    });
    this.samples.push({ tenantId, priority: 'low', line });
  }

  private minuteRow(
    at: string,
    lane: string,
    { tenantId, outcome, reason, events }: CountChange,
  ): TelemetryRow {
    const line = JSON.stringify({
      tenant_id: tenantId,
      at,
      process_id: this.processId,
      lane,
      outcome,
      reason,
      events,
    });
    return { tenantId, priority: 'high', line };
  }
}
