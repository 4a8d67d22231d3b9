import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, deterministicId, fullJitterMs, newId } from '@holdfast/kernel';
import { counter, type Logger } from '@holdfast/observability';
import { Policy } from '@holdfast/resilience';
import { LRUCache } from 'lru-cache';
import { Ring } from './ring';
import type { TelemetryRow } from './telemetry-sink';
import { WantedActivity } from './wanted-activity';
import type { WriteKeySigner } from './write-key';

/** Where activities go, and who hears that they do not. */
export interface ActivityDestination {
  /** Where ingest is. */
  readonly url: string;
  /** Signs the key of each tenant under which its activities are sent. */
  readonly signer: WriteKeySigner;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
  /** Whether the tenant of the caller wants it: asked outside of its request, where that was not heard in the last 5 s. */
  readonly isWanted: (caller: Caller) => Promise<boolean>;
  /** How long activities wait for others: 1 s but in tests. */
  readonly collectMs?: number;
  /** How long what a tenant wants is not asked again: 5 s but in tests. */
  readonly wantedFreshMs?: number;
}

/** What became of an activity. */
type Result =
  | 'sent'
  | 'switched_off'
  | 'undecided'
  | 'full'
  | 'invalid'
  | 'over_quota'
  | 'overloaded'
  | 'refused'
  | 'unreachable'
  | 'closed';

/** What ingest says of a batch: status 0 when it does not answer. */
interface Answer {
  readonly status: number;
  readonly code?: unknown;
  readonly retryAfterMs?: number;
}

const activities = counter({
  name: 'holdfast_telemetry_activities_total',
  help: 'Activities of members by what became of them: sent to ingest, not wanted by the tenant (switched_off), or lost (undecided, full, invalid, over_quota, overloaded, refused, unreachable, closed).',
  labels: ['result'],
});

const KEYS_MAX = 10_000;
/** Half a minute of a busy process, and nothing beside its memory. */
const RING = { rowsMax: 10_000, bytesMax: 8 * 1024 * 1024 };
/** Characters are three bytes each at most: so both stay under the 500 KB a batch and 32 KB an event that ingest takes. */
const BATCH_CHARACTERS = 150_000;
const LINE_CHARACTERS = 10_000;
const BATCH_ROWS = 500;
/** Batches of different tenants on their way at a time. */
const SENDERS = 4;
const COLLECT_MS = 1_000;
/** Half a minute together: longer than ingest takes to start again. */
const ATTEMPTS_MAX = 12;
const RETRY_MS = 250;
const RETRY_MAX_MS = 5_000;
/** Of a tenant that is over its quota: others' activities wait behind it. */
const QUOTA_ATTEMPTS_MAX = 3;
/** What goes on failing is said again after so long; how often it fails is counted. */
const WARN_AGAIN_MS = 600_000;

/** Ingest does not answer: what members do is being lost. */
export class ActivityUnreachable extends Error {
  override readonly name = 'ActivityUnreachable';
}

/**
 * Records what members do, from inside a module: fire and forget. Nothing is awaited and nothing throws, so that no request is slower
 * or fails because of it. What cannot be sent is lost, and counted by its reason in `holdfast_telemetry_activities_total`.
 *
 * Ingest gets `track` calls of the caller's tenant in batches, whose user is the id of the member: in telemetry they stand beside the
 * events of what the member changed. A batch whose answer was not heard is sent again; its messages have ids, so that copies count once.
 * kill -9 loses what was recorded in the last second, and what waits while ingest is away.
 */
export class UserActivity {
  private readonly ring = new Ring(RING);
  private readonly keys = new LRUCache<string, string>({ max: KEYS_MAX });
  private readonly warned = new LRUCache<string, true>({ max: 10, ttl: WARN_AGAIN_MS });
  /** No more is taken and nothing is waited for; then, nothing is sent. */
  private readonly draining = new AbortController();
  private readonly cut = new AbortController();
  private sending: Promise<void> | undefined;
  private isUnreachable = false;
  private readonly policy = new Policy('activity');

  private readonly wanted: WantedActivity | undefined;
  /** The last of each tenant that has something waiting. */
  private readonly callers = new LRUCache<string, Caller>({ max: RING.rowsMax });

  /** Without a destination nothing is recorded. */
  constructor(private readonly destination?: ActivityDestination) {
    this.wanted = destination && new WantedActivity(destination.isWanted, destination.wantedFreshMs);
  }

  /** Whether anything is recorded. */
  get isRecorded(): boolean {
    return this.destination !== undefined;
  }

  /**
   * Records that the member did `name`, as in `Statement Viewed`. Of callers who are no members nothing is: they are no users. Nor is
   * anything of tenants that do not want it, or of whom that could never be read.
   * `properties` go into telemetry as they are: ids and plain facts, never a personal value.
   */
  record(caller: Caller, name: string, properties: Readonly<Record<string, unknown>> = {}): void {
    const userId = memberOf(caller);
    if (!this.destination || userId === undefined) return;
    const line = lineOf(userId, caller, name, properties);
    if (line === undefined || line.length > LINE_CHARACTERS) return count('invalid');
    if (this.draining.signal.aborted) return count('closed');
    if (!this.ring.offer({ tenantId: caller.tenantId, priority: 'normal', line })) return count('full');
    this.callers.set(caller.tenantId, caller);
    this.sending ??= this.sendAll(this.destination);
  }

  /** Rejects while ingest does not answer. Asks nobody: the last batch says so. */
  async checkReachable(): Promise<void> {
    if (this.isUnreachable) throw new ActivityUnreachable('ingest does not answer');
  }

  /** Sends what is left, within the time; the rest is counted as unreachable. What is recorded later is closed. */
  async drain(deadlineMs: number): Promise<void> {
    this.draining.abort();
    const timer = setTimeout(() => this.cut.abort(), deadlineMs);
    await this.sending;
    clearTimeout(timer);
  }

  /** Until nothing is left. Few activities wait for others; nothing does when the process ends. */
  private async sendAll(destination: ActivityDestination): Promise<void> {
    while (this.ring.rows > 0) {
      if (this.ring.rows < BATCH_ROWS) await this.pause(destination.collectMs ?? COLLECT_MS);
      const rows = this.ring.take(BATCH_ROWS, BATCH_CHARACTERS);
      const batches = Map.groupBy(rows, (row) => row.tenantId).entries();
      // The senders share the iterator: each takes the next tenant's batch when it is done with one.
      await Promise.all(Array.from({ length: SENDERS }, () => this.sendEach(destination, batches)));
    }
    this.sending = undefined;
  }

  private async sendEach(
    destination: ActivityDestination,
    batches: Iterable<[tenantId: string, rows: TelemetryRow[]]>,
  ): Promise<void> {
    for (const [tenantId, rows] of batches) {
      const caller = this.callers.get(tenantId);
      const isWanted = caller && (await this.wanted?.by(caller));
      if (isWanted) count(await this.send(destination, tenantId, rows), rows.length);
      else count(isWanted === undefined ? 'undecided' : 'switched_off', rows.length);
    }
  }

  /**
   * Never rejects. Of a tenant that may not send nothing is sent again. Who is asked to wait waits, for 5 s at most: an ingest without room
   * as long as one that does not answer, and a tenant over its quota for two more attempts, since others wait behind it.
   */
  private async send(
    destination: ActivityDestination,
    tenantId: string,
    rows: readonly TelemetryRow[],
  ): Promise<Result> {
    const key = this.keyOf(destination.signer, tenantId);
    let result: Result = 'unreachable';
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const answer = await this.answerTo(destination.url, key, rows);
      result = this.resultOf(destination, answer);
      const { retryAfterMs = 0 } = answer;
      if (!REPEATED.has(result) || this.draining.signal.aborted || retryAfterMs > RETRY_MAX_MS) break;
      if (result === 'over_quota' && attempt >= QUOTA_ATTEMPTS_MAX) break;
      await this.pause(Math.max(retryAfterMs, fullJitterMs(attempt, RETRY_MS, RETRY_MAX_MS)));
    }
    return result;
  }

  private async answerTo(url: string, key: string, rows: readonly TelemetryRow[]): Promise<Answer> {
    const sentAt = JSON.stringify(new Date().toISOString());
    const init = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}`,
      },
      body: `{"batch":[${rows.map((row) => row.line).join(',')}],"sentAt":${sentAt}}`,
    };
    const { signal } = this.cut;
    try {
      return await this.policy.fetch(new URL('/v1/batch', url), init, readAnswer, { signal });
    } catch {
      return { status: 0 };
    }
  }

  private resultOf(destination: ActivityDestination, { status, code }: Answer): Result {
    const isAnswered = status >= 200 && status < 500;
    this.noteReachable(destination, isAnswered);
    if (!isAnswered) return 'unreachable';
    if (status < 300) return 'sent';
    if (status === 429) return code === 'ingest.over_quota' ? 'over_quota' : 'overloaded';
    this.warn(destination, 'Ingest refuses the activities of members.', { status });
    return 'refused';
  }

  private noteReachable(destination: ActivityDestination, isReachable: boolean): void {
    if (!isReachable)
      this.warn(destination, 'Ingest does not answer: activities of members are lost if that lasts.');
    else if (this.isUnreachable) destination.logger.info({}, 'Ingest takes the activities of members again.');
    this.isUnreachable = !isReachable;
  }

  /** Once in ten minutes for each fault, however many batches have it. */
  private warn({ logger }: ActivityDestination, message: string, { status }: { status?: number } = {}): void {
    const fault = `${message} ${status}`;
    if (this.warned.has(fault)) return;
    this.warned.set(fault, true);
    logger.warn(status === undefined ? {} : { status }, message);
  }

  private async pause(ms: number): Promise<void> {
    // Rejects when the process ends, which ends the pause and is no fault.
    await sleep(ms, undefined, { ref: false, signal: this.draining.signal }).catch(() => undefined);
  }

  private keyOf(signer: WriteKeySigner, tenantId: string): string {
    const known = this.keys.get(tenantId);
    if (known !== undefined) return known;
    const key = signer.write({ keyId: activityKeyId(tenantId), tenantId });
    this.keys.set(tenantId, key);
    return key;
  }
}

/** The id of the key under which Holdfast itself sends activities of the tenant. No row of a write key has it. */
export function activityKeyId(tenantId: string): string {
  return deterministicId('telemetry.activity', tenantId);
}

/** What may be different the next time. */
const REPEATED: ReadonlySet<Result> = new Set(['unreachable', 'overloaded', 'over_quota']);

/** The code tells a quota from want of room; only where it was not taken is the body read. */
async function readAnswer(response: Response): Promise<Answer> {
  const { status } = response;
  if (status !== 429) return { status };
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  // Something else has answered in its place, which says no code.
  const body: unknown = await response.json().catch(() => undefined);
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
  return { status, code, retryAfterMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : 0 };
}

const MEMBER = 'member:';

/** The id of the member who acts, as it stands in rows and events; nobody where an operator acts. */
function memberOf({ actor, act }: Caller): string | undefined {
  return actor.startsWith(MEMBER) && act === undefined ? actor.slice(MEMBER.length) : undefined;
}

function count(result: Result, events = 1): void {
  activities.inc({ result }, events);
}

/** The call as Segment's specification has it; undefined of properties that cannot be written as JSON. */
function lineOf(
  userId: string,
  { requestId, traceparent }: Caller,
  event: string,
  properties: object,
): string | undefined {
  const timestamp = new Date().toISOString();
  const context = { requestId, traceparent };
  try {
    return JSON.stringify({
      type: 'track',
      messageId: newId(),
      event,
      userId,
      timestamp,
      properties,
      context,
    });
  } catch {
    return undefined;
  }
}
