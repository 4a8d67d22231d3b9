import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PlanName, PLANS } from '@holdfast/kernel';
import { counter, gauge, type Logger } from '@holdfast/observability';
import { HeardDrills, Policy } from '@holdfast/resilience';
import { LRUCache } from 'lru-cache';
import { type KeyListContents, readKeyList } from './key-list-text';
import { fingerprintOf, type WriteKeyHolder, type WriteKeyVerifier } from './write-key';

/** What ingest does with a key that is signed as it has to be. */
export interface KeyState {
  /** Why nothing is taken: the key is revoked, or its tenant is not active. */
  readonly refused?: 'revoked' | 'suspended';
  readonly plan: PlanName;
}

/** What came of asking the API. */
type PollResult = 'changed' | 'unchanged' | 'unreachable' | 'forged' | 'older' | 'ahead';

const polls = counter({
  name: 'holdfast_ingest_key_list_polls_total',
  help: 'How often ingest has asked the API for the list of revoked write keys, by what came of it.',
  labels: ['result'],
});

// Set by the process's list when Prometheus asks: what matters is the time without an answer, and that passes by itself.
let ageMs: (() => number) | undefined;
gauge({
  name: 'holdfast_ingest_key_list_age_seconds',
  help: 'How long ago the API last confirmed the list of revoked write keys that ingest goes by.',
  collect() {
    if (ageMs) this.set(ageMs() / 1000);
  },
});

/** A drill of 20 s, as drills mostly are, is to be one here as well. A revoked key is refused everywhere within a minute: polls may fail. */
const POLL_MS = 5_000;
/** Over a million keys and tenants; what is longer is no list of ours. */
const LENGTH_MAX = 32 * 1024 * 1024;
/** One that says it is from later than this would keep all others out until then: its clock, or ours, is wrong. */
const AHEAD_MAX_MS = 3_600_000;
const TENANTS_MAX = 10_000;
const FILE = 'key-list.json';

/** What a list needs. */
export interface KeyListOptions {
  readonly verifier: WriteKeyVerifier;
  /** Where the API is. */
  readonly apiUrl: string;
  /** Where the list outlasts the process. */
  readonly directory: string;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
  /** How long after an answer the API is asked again: 5 s but in tests. */
  readonly pollMs?: number;
}

/**
 * Which write keys are refused, which tenants have another plan than the standard one, and what is drilled, as the API last said.
 *
 * The list is signed like the keys, so neither who answers in the API's place nor who writes to the disk can admit a revoked key, and
 * an older list never replaces a later one. It holds as long as the API is away, also after a restart; where there has never been
 * one, every signed key is taken under the standard plan. Who can hold the API's answers back delays a revocation, and
 * `holdfast_ingest_key_list_age_seconds` shows it.
 */
export class KeyList {
  private asOfMs = 0;
  private revoked: ReadonlySet<string> = new Set();
  private suspended: ReadonlySet<string> = new Set();
  private erased: ReadonlySet<string> = new Set();
  private plans: ReadonlyMap<string, PlanName> = new Map();
  /** What was looked up since the list changed. The verifier gives the same holder for the same key. */
  private states = new WeakMap<WriteKeyHolder, KeyState>();
  /** As well: of each row that is stored it is asked, and a fingerprint takes 2 µs. */
  private readonly erasedTenants = new LRUCache<string, boolean>({ max: TENANTS_MAX });
  private etag: string | undefined;
  private confirmedAtMs = Date.now();
  private lastResult: PollResult = 'unchanged';
  private asking: Promise<void> | undefined;
  private saving: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();
  private readonly policy = new Policy('key_list');
  private readonly drills = new HeardDrills();

  /** Reads the list that an earlier process has left. */
  constructor(private readonly options: KeyListOptions) {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.restore();
    ageMs = () => this.ageMs;
  }

  /** How long ago the API confirmed what the list says. */
  get ageMs(): number {
    return Math.max(0, Date.now() - this.confirmedAtMs);
  }

  /** What to do with a key that the verifier has accepted. */
  stateOf(holder: WriteKeyHolder): KeyState {
    const known = this.states.get(holder);
    if (known) return known;
    const tenant = fingerprintOf(holder.tenantId);
    const plan = this.plans.get(tenant) ?? 'standard';
    const state: KeyState = this.revoked.has(fingerprintOf(holder.keyId))
      ? { refused: 'revoked', plan }
      : this.suspended.has(tenant)
        ? { refused: 'suspended', plan }
        : { plan };
    this.states.set(holder, state);
    return state;
  }

  /** Whether the tenant's erasure has begun: what is still under way of it is not to be stored. */
  isErased(tenantId: string): boolean {
    if (this.erased.size === 0) return false;
    const known = this.erasedTenants.get(tenantId);
    if (known !== undefined) return known;
    const isErased = this.erased.has(fingerprintOf(tenantId));
    this.erasedTenants.set(tenantId, isErased);
    return isErased;
  }

  /** Asks the API at once, and then again and again until it is stopped. */
  start(): void {
    this.asking ??= this.pollUntilStopped();
  }

  /** Asks no more. Resolves once nothing is under way. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.asking;
    // Who is stopped while it saves is no longer waited for by whoever asked.
    await this.saving;
  }

  private async pollUntilStopped(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      await this.poll();
      await sleep(this.options.pollMs ?? POLL_MS, undefined, { signal, ref: false }).catch(() => {}); // Stopped.
    }
  }

  /** Asks the API once. Never throws: what fails is counted, and logged when it begins and when it ends. */
  async poll(): Promise<void> {
    const result = await this.ask().catch((): PollResult => 'unreachable');
    polls.inc({ result });
    if (result === 'changed' || result === 'unchanged') this.confirmedAtMs = Date.now();
    if (isFault(result) && result !== this.lastResult)
      this.options.logger.warn(
        { code: result },
        'The API gives no list of revoked write keys; the last one holds.',
      );
    else if (isFault(this.lastResult) && !isFault(result))
      this.options.logger.info({}, 'The API gives the list of revoked write keys again.');
    this.lastResult = result;
  }

  private ask(): Promise<PollResult> {
    const url = new URL('/v1/telemetry/key-list', this.options.apiUrl);
    const headers = this.etag === undefined ? {} : { 'if-none-match': this.etag };
    const { signal } = this.stopped;
    return this.policy.fetch(url, { headers }, (response) => this.take(response), { signal });
  }

  private async take(response: Response): Promise<PollResult> {
    if (response.status === 304 && this.etag !== undefined) return 'unchanged';
    if (response.status !== 200) return 'unreachable';
    const text = await textOf(response);
    const contents = readKeyList(this.options.verifier, text);
    if (!contents) return 'forged';
    if (contents.asOfMs < this.asOfMs) return 'older';
    if (contents.asOfMs > Date.now() + AHEAD_MAX_MS) return 'ahead';
    // Who has the same list told again begins none of its drills anew.
    if (contents.asOfMs > this.asOfMs) this.drill(contents);
    this.apply(contents);
    this.etag = response.headers.get('etag') ?? undefined;
    this.saving = this.save(text).catch((err: unknown) =>
      this.options.logger.warn(
        { err },
        'The list of revoked write keys cannot be saved: after a restart an older one holds.',
      ),
    );
    await this.saving;
    return 'changed';
  }

  /** Only what the API says: of a list from the disk nobody knows how long it has lain there. */
  private drill({ asOfMs, drills }: KeyListContents): void {
    // Two clocks: where they differ a drill is shorter here, and never longer than it had left when the list was made.
    const now = Math.max(asOfMs, Date.now());
    this.drills.hear(drills.map(({ endsAtMs, ...drill }) => ({ ...drill, leftMs: endsAtMs - now })));
  }

  private restore(): void {
    try {
      const contents = readKeyList(this.options.verifier, readFileSync(this.file, 'utf8'));
      if (!contents) throw new Error('it is not signed by a key that is known here');
      this.apply(contents);
      this.confirmedAtMs = contents.asOfMs;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return;
      // Telemetry is taken all the same; the API says at the first poll what is revoked.
      this.options.logger.warn({ err }, 'The list of revoked write keys on disk cannot be used.');
    }
  }

  private apply({ asOfMs, revoked, suspended, erased, plans }: KeyListContents): void {
    this.asOfMs = asOfMs;
    this.revoked = new Set(revoked);
    this.suspended = new Set(suspended);
    this.erased = new Set(erased);
    this.plans = new Map(
      Object.entries(plans).flatMap(([name, tenants]) =>
        isPlanName(name) ? tenants.map((tenant) => [tenant, name] as const) : [],
      ),
    );
    this.states = new WeakMap();
    this.erasedTenants.clear();
  }

  /** In one piece: half a list would be none after a crash. */
  private async save(text: string): Promise<void> {
    const draft = `${this.file}.${process.pid}`;
    await using handle = await open(draft, 'w', 0o600);
    await handle.writeFile(text);
    await handle.sync();
    await rename(draft, this.file);
  }

  private get file(): string {
    return join(this.options.directory, FILE);
  }
}

function isFault(result: PollResult): boolean {
  return result !== 'changed' && result !== 'unchanged';
}

/** A plan that this process does not know yet counts as standard. */
function isPlanName(name: string): name is PlanName {
  return Object.hasOwn(PLANS, name);
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > LENGTH_MAX) throw new Error('the list is longer than any of ours');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
