import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tenant } from './stage';

/**
 * What its client knows of an effect: it happened; it was refused for good; nothing was changed, says a 503, so that it is
 * not there and may be asked for again; or nobody knows.
 */
export type Outcome = 'unknown' | 'ok' | 'refused' | 'unchanged';

/** One transfer that a request asks for. */
export interface Effect {
  /** Absent until an answer tells it, where the client leaves the choice to the ledger. */
  id?: string;
  /** What moves or is held, where the request says it. */
  readonly amount?: string | undefined;
  outcome: Outcome;
}

/** An answer as clients look at it. Status 0: there was none. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request in the journal, which is written before it is sent and when it is answered. */
export interface Entry {
  readonly tenant: LedgerTenant;
  readonly path: string;
  /** Absent for a batch, whose ids are the idempotency. */
  readonly key?: string;
  readonly body: object;
  readonly effects: readonly Effect[];
  readonly sentAtMs: number;
  heardAtMs: number;
  /** The first answer. */
  answer: Answer;
}

/** A tenant and its accounts, of which the first two have no limit. */
export interface LedgerTenant extends Tenant {
  /** In the tenant's metadata and codes: what no other tenant may ever be shown. */
  readonly mark: string;
  readonly accounts: readonly string[];
}

/** What is asked for; an entry of the journal once it is sent. */
export type Wanted = Pick<Entry, 'tenant' | 'path' | 'key' | 'body' | 'effects'>;

const NO_ANSWER: Answer = { status: 0, body: {} };
/** Statements end after 5 s, locks after 2 s, commits after 5 s, and there are six attempts at most. */
const ANSWERED_WITHIN_MS = 60_000;
const SETTLED_WITHIN_MS = 90_000;

/** Clients of some tenants that write a journal, and watch for what never may be in an answer. */
export class LedgerClients {
  readonly journal: Entry[] = [];
  /** Answers that no fault excuses: 500s, what took too long, what belongs to another tenant. */
  readonly offences: string[] = [];

  constructor(
    private readonly tenants: readonly LedgerTenant[],
    /** One of them may be replaced by another meanwhile. */
    private readonly apis: readonly { readonly url: string }[],
  ) {}

  /** Notes the request, sends it once and notes what became of it. */
  async send(wanted: Wanted, api = 0): Promise<Entry> {
    const entry: Entry = { ...wanted, sentAtMs: performance.now(), heardAtMs: 0, answer: NO_ANSWER };
    this.journal.push(entry);
    entry.answer = await this.post(entry, api);
    entry.heardAtMs = performance.now();
    note(entry, entry.answer, true);
    return entry;
  }

  /** Sends a request of the journal again; answers what came of it this time. */
  async repeat(entry: Entry, api = 0): Promise<Answer> {
    const answer = await this.post(entry, api);
    note(entry, answer, false);
    return answer;
  }

  /** Repeats a request until it is answered for good: the circuit of an API is open for a second behind what has ended. */
  async settle(entry: Entry, api = 0): Promise<Answer> {
    const deadline = performance.now() + SETTLED_WITHIN_MS;
    for (let attempt = 0; performance.now() < deadline; attempt += 1) {
      const answer = await this.repeat(entry, (api + attempt) % this.apis.length);
      if (isFinal(answer)) return answer;
      await sleep(100);
    }
    throw new Error(`never settled: ${JSON.stringify(entry)}`);
  }

  /** Reads something of a tenant. */
  async get(tenant: LedgerTenant, path: string, api = 0): Promise<Answer> {
    return this.ask(tenant, path, { method: 'GET' }, api);
  }

  private post({ tenant, path, key, body }: Wanted, api: number): Promise<Answer> {
    const headers = {
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    return this.ask(tenant, path, { method: 'POST', headers, body: JSON.stringify(body) }, api);
  }

  private async ask(tenant: LedgerTenant, path: string, init: RequestInit, api: number): Promise<Answer> {
    const startedAtMs = performance.now();
    const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${tenant.key}` };
    const signal = AbortSignal.timeout(ANSWERED_WITHIN_MS);
    try {
      const response = await fetch(`${this.apis[api]?.url}${path}`, { ...init, headers, signal });
      const text = await response.text();
      this.watch(tenant, path, response.status, text);
      return { status: response.status, body: JSON.parse(text) as Answer['body'] };
    } catch (error) {
      // A process that died took its answer with it. One that lives answers in time.
      if (performance.now() - startedAtMs > ANSWERED_WITHIN_MS)
        this.offences.push(`${path}: ${String(error)}`);
      return NO_ANSWER;
    }
  }

  private watch(tenant: LedgerTenant, path: string, status: number, text: string): void {
    if (status === 500 || status === 401 || status === 403) this.offences.push(`${path}: ${status} ${text}`);
    const others = this.tenants.filter((other) => other !== tenant);
    const foreign = others.flatMap(({ id, key, mark, accounts }) => [id, key, mark, ...accounts]);
    if (foreign.some((secret) => text.includes(secret)))
      this.offences.push(`${path}: another tenant's ${text}`);
  }
}

/** Whether an answer says what became of the request, whoever asks again. */
export function isFinal({ status, body }: Answer): boolean {
  return status > 0 && status < 500 && body['code'] !== 'idempotency.in_flight';
}

/** What an answer says of one effect. */
function outcomeOf(effect: Effect, { status, body }: Answer, place: number): Outcome {
  if (status === 503) return body['code'] === 'outcome_unknown' ? 'unknown' : 'unchanged';
  if (!isFinal({ status, body })) return 'unknown';
  if (status >= 300) return 'refused';
  const results = body['results'] as readonly { readonly id: string; readonly result: string }[] | undefined;
  if (!results) effect.id ??= String(body['id']);
  const result = results ? results[place]?.result : 'created';
  return result === 'created' || result === 'exists' ? 'ok' : 'refused';
}

/** Of a repetition only what is final counts: that it changed nothing itself says nothing of the original. */
function note({ effects }: Entry, answer: Answer, isFirst: boolean): void {
  for (const [place, effect] of effects.entries())
    if (isFirst || (effect.outcome === 'unknown' && isFinal(answer)))
      effect.outcome = outcomeOf(effect, answer, place);
}

/** A request with an idempotency key of its own and one effect. */
export function single(
  tenant: LedgerTenant,
  path: string,
  body: { readonly id?: string; readonly amount?: string; readonly [field: string]: unknown },
): Wanted {
  const effect: Effect = {
    amount: body.amount,
    outcome: 'unknown',
    ...(body.id !== undefined && { id: body.id }),
  };
  return {
    tenant,
    path,
    key: randomUUID(),
    body: { ...body, metadata: { mark: tenant.mark } },
    effects: [effect],
  };
}

/** What some items of a batch ask for. */
export function batch(
  tenant: LedgerTenant,
  items: readonly { readonly id: string; readonly amount?: string; readonly [field: string]: unknown }[],
): Wanted {
  const marked = items.map((item) => ({ ...item, metadata: { mark: tenant.mark } }));
  const effects = items.map(({ id, amount }): Effect => ({ id, amount, outcome: 'unknown' }));
  return { tenant, path: '/v1/ledger/transfers:batch', body: { items: marked }, effects };
}

/** How long answers took, for people. */
export function tookText(entries: readonly Pick<Entry, 'sentAtMs' | 'heardAtMs'>[]): string {
  const took = entries.map(({ sentAtMs, heardAtMs }) => heardAtMs - sentAtMs).toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(took[Math.floor((took.length - 1) * share)] ?? 0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`;
}
