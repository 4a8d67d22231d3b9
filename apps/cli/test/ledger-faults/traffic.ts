import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@holdfast/testing';
import {
  batch,
  type Entry,
  type LedgerClients,
  type LedgerTenant,
  single,
  type Wanted,
} from './ledger-client';

const CLIENTS_PER_TENANT = 3;
/** Pause of a client between two requests, at most: six of them load two cores and do not saturate them. */
const PAUSE_MS = 60;
/** A server that is away is not asked a thousand times a second, and a process that died not before it is back. */
const PAUSE_BEHIND_FAILURE_MS = 100;
const PAUSE_BEHIND_SILENCE_MS = 500;
const TRANSFERS = '/v1/ledger/transfers';

/** Clients of every tenant that ask for all that the ledger does, each in an order that its seed says. */
export class Traffic {
  private readonly stopping = new AbortController();
  private sending: Promise<unknown> = Promise.resolve();
  private companion: { stop(): Promise<void> } | undefined;

  constructor(
    private readonly clients: LedgerClients,
    private readonly tenants: readonly LedgerTenant[],
    private readonly seed: number,
  ) {}

  start(): void {
    const numbers = Array.from({ length: CLIENTS_PER_TENANT }, (_, n) => n);
    this.sending = Promise.all(
      this.tenants.flatMap((tenant, t) =>
        numbers.map((n) => this.run(tenant, new Random(this.seed * 31 + t * CLIENTS_PER_TENANT + n))),
      ),
    );
  }

  /** Has other traffic end with this one. */
  accompany(companion: { stop(): Promise<void> }): void {
    this.companion = companion;
  }

  /** Ends it; what is under way is heard first. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.sending, this.companion?.stop()]);
  }

  private async run(tenant: LedgerTenant, random: Random): Promise<void> {
    const { signal } = this.stopping;
    /** Ids of what this client has made, to be ended or reversed by it. */
    const made: string[] = [];
    while (!signal.aborted) {
      const entry = await this.clients.send(nextOf(tenant, made, random), random.between(0, 1));
      made.push(...entry.effects.flatMap(({ id, outcome }) => (outcome === 'ok' && id ? [id] : [])));
      const pauseMs = pauseBehind(entry.answer.status, random);
      await sleep(pauseMs, undefined, { signal }).catch(() => {}); // Stopped.
    }
  }
}

function pauseBehind(status: number, random: Random): number {
  if (status === 0) return PAUSE_BEHIND_SILENCE_MS;
  return status >= 500 ? PAUSE_BEHIND_FAILURE_MS : random.next() * PAUSE_MS;
}

/** What a client asks for next. */
function nextOf(tenant: LedgerTenant, made: readonly string[], random: Random): Wanted {
  const choice = random.next();
  if (choice < 0.25) return batch(tenant, manyOf(tenant, random));
  if (choice < 0.45 && made.length > 0) return followUp(tenant, made, random);
  const hold = choice < 0.65 ? { pending: true, ...(choice < 0.5 && { timeoutSeconds: 3_600 }) } : {};
  const balancing = choice > 0.95 ? { balancing: 'debit' } : {};
  const chosen = random.next() < 0.8 ? { id: randomUUID() } : {};
  return single(tenant, TRANSFERS, { ...chosen, ...legs(tenant, random), ...hold, ...balancing });
}

/** Ends a hold or reverses a transfer of the client's, or is refused because it is neither or was before. */
function followUp(tenant: LedgerTenant, made: readonly string[], random: Random): Wanted {
  // The latest ones are more often still open.
  const target = random.pick(made.slice(-6));
  const verb = random.pick(['post', 'void', 'reverse']);
  return single(tenant, `${TRANSFERS}/${target}/${verb}`, { id: randomUUID() });
}

/** Items of a batch, some of them linked. */
function manyOf(tenant: LedgerTenant, random: Random): Parameters<typeof batch>[1] {
  const count = random.between(2, 8);
  return Array.from({ length: count }, (_, n) => ({
    id: randomUUID(),
    ...legs(tenant, random),
    ...(random.next() < 0.2 && { pending: true }),
    ...(n < count - 1 && random.next() < 0.3 && { linked: true }),
  }));
}

/** Mostly from an account without a limit to one that has one, so that there is something to spend. */
function legs(tenant: LedgerTenant, random: Random): Pick<Legs, keyof Legs> {
  const [source, ...others] = tenant.accounts;
  const creditAccountId = random.pick(others);
  const debitAccountId =
    random.next() < 0.5 ? source : random.pick(tenant.accounts.filter((id) => id !== creditAccountId));
  return { debitAccountId: debitAccountId ?? '', creditAccountId, amount: String(random.between(1, 100)) };
}

interface Legs {
  readonly debitAccountId: string;
  readonly creditAccountId: string;
  readonly amount: string;
}

/** Entries that were sent at a time and got an answer of success. */
export function acknowledgedSince(journal: readonly Entry[], sinceMs: number): readonly Entry[] {
  return journal.filter(
    ({ sentAtMs, answer }) => sentAtMs > sinceMs && answer.status > 0 && answer.status < 300,
  );
}
