import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@holdfast/testing';
import {
  type Answer,
  type Entry,
  isFinal,
  LedgerClients,
  type LedgerTenant,
} from '../ledger-faults/ledger-client';

const PAUSE_MS = 100;
/** A payment that meets locks is tried again within a minute. */
const ENDED_WITHIN_MS = 180_000;

/** Tenants that pay each other through whichever API serves them, and a journal of what came of it. */
export class PaymentTraffic<Api extends { readonly url: string }> {
  readonly clients: LedgerClients;
  /** What was asked for and not answered for good, the first or the second time. */
  readonly unsettled = new Set<Entry>();
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly apis: readonly Api[],
    private readonly parties: readonly [LedgerTenant, LedgerTenant],
    private readonly random: Random,
    /** Whether an API is to be asked now. */
    private readonly serves: (api: Api) => boolean,
  ) {
    // What one of the two is told names the other: nobody's secrets are looked for.
    this.clients = new LedgerClients([], apis);
  }

  /** Pays from now on, so many at a time. */
  start(lines = 1): void {
    this.running = Promise.all(Array.from({ length: lines }, () => this.run()));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Pays by an API; some of it goes to an account that is not there. */
  pay(
    api: number,
    payer: LedgerTenant,
    payee: LedgerTenant,
    toAccountId = payee.accounts[0],
  ): Promise<Entry> {
    const body = {
      fromAccountId: payer.accounts[0],
      toTenantId: payee.id,
      toAccountId,
      amount: String(this.random.between(1, 100)),
      asset: 'EUR/2',
    };
    return this.clients.send(
      { tenant: payer, path: '/v1/payments', key: randomUUID(), body, effects: [] },
      api,
    );
  }

  /** Asks for what is unsettled until it is answered for good, as whoever is told to come again does. */
  async settle(): Promise<void> {
    for (const entry of this.unsettled) {
      const answer = await this.clients.settle(entry);
      if (isFinal(entry.answer)) this.expectSame(entry, answer);
      else entry.answer = answer;
    }
    this.unsettled.clear();
  }

  /** Waits until all have ended, and counts them by what they came to. */
  async outcomes(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { tenant, answer } of this.clients.journal) {
      const status = await this.ended(tenant, String(answer.body['id']));
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  /** How far a payment is, as its payer sees it. */
  async statusOf(tenant: LedgerTenant, id: string): Promise<unknown> {
    const api = this.apis.findIndex((each) => this.serves(each));
    return (await this.clients.get(tenant, `/v1/payments/${id}`, api)).body['status'];
  }

  private async ended(tenant: LedgerTenant, id: string): Promise<string> {
    for (
      const deadline = performance.now() + ENDED_WITHIN_MS;
      performance.now() < deadline;
      await sleep(100)
    ) {
      const status = await this.statusOf(tenant, id);
      if (status !== 'pending') return String(status);
    }
    return 'pending';
  }

  private async run(): Promise<void> {
    for (; !this.stopping.signal.aborted; await sleep(PAUSE_MS)) {
      const apis = this.apis.flatMap((each, api) => (this.serves(each) ? api : []));
      if (apis.length === 0) continue;
      const [payer, payee] = this.random.next() < 0.5 ? this.parties : this.parties.toReversed();
      if (!payer || !payee) continue;
      const toAccountId = this.random.next() < 0.1 ? randomUUID() : payee.accounts[0];
      const entry = await this.pay(this.random.pick(apis), payer, payee, toAccountId);
      // Whoever is asked again, and by which version: it is the one payment.
      const again = await this.clients.repeat(entry, this.random.pick(apis));
      if (isFinal(entry.answer) && isFinal(again)) this.expectSame(entry, again);
      else this.unsettled.add(entry);
    }
  }

  private expectSame(entry: Entry, again: Answer): void {
    if (idOf(again) !== idOf(entry.answer))
      this.clients.offences.push(`paid twice: ${JSON.stringify(entry)}`);
  }
}

function idOf({ status, body }: Answer): string {
  return `${status} ${String(body['id'])}`;
}
