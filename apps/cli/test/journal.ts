import { randomUUID } from 'node:crypto';
import type { DevFile } from '../src/dev/dev-file';

/** What a client knows of a transfer that it has asked for: it writes the journal before it sends and when it hears. */
export interface Entry {
  readonly key: string;
  readonly body: {
    readonly debitAccountId: string;
    readonly creditAccountId: string;
    readonly amount: string;
  };
  outcome: 'unknown' | 'ok' | 'failed';
  /** The transfer's id, once an answer has told it. */
  id?: string;
}

/** The fields of answers that these tests look at. */
export interface Answered {
  readonly id: string;
  readonly data: readonly {
    readonly id: string;
    readonly transferId: string;
    readonly stream: { readonly id: string };
  }[];
  readonly nextCursor: string | null;
  readonly balances: { readonly postedDebits: string };
}

/** A tenant's API as its clients call it. */
export class Client {
  constructor(
    readonly api: string,
    private readonly key: string,
  ) {}

  async get(path: string): Promise<{ readonly status: number; readonly body: Answered }> {
    const response = await fetch(this.api + path, { headers: { authorization: `Bearer ${this.key}` } });
    return { status: response.status, body: (await response.json()) as Answered };
  }

  async post(
    path: string,
    body: unknown,
    idempotencyKey: string = randomUUID(),
  ): Promise<{ readonly status: number; readonly body: Answered }> {
    const headers = {
      authorization: `Bearer ${this.key}`,
      'idempotency-key': idempotencyKey,
      'content-type': 'application/json',
    };
    const response = await fetch(this.api + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Answered };
  }

  /** All of a list, over its pages. */
  async all(path: string): Promise<Answered['data'][number][]> {
    const items: Answered['data'][number][] = [];
    for (let after = ''; ;) {
      const { body } = await this.get(`${path}${path.includes('?') ? '&' : '?'}limit=200${after}`);
      items.push(...body.data);
      if (body.nextCursor === null) return items;
      after = `&after=${encodeURIComponent(body.nextCursor)}`;
    }
  }

  /** Opens two accounts between which transfers go. */
  async accounts(): Promise<{ readonly debitAccountId: string; readonly creditAccountId: string }> {
    const open = async (normalBalance: string): Promise<string> =>
      (
        await this.post('/v1/ledger/accounts', {
          code: randomUUID(),
          asset: 'EUR/2',
          normalBalance,
        })
      ).body.id;
    return { debitAccountId: await open('debit'), creditAccountId: await open('credit') };
  }

  /** Sends an entry of the journal and writes down what became of it. An answer that is not there leaves it unknown. */
  async send(entry: Entry): Promise<void> {
    // A connection that was cut leaves the outcome unknown, which is what the journal is for.
    const answer = await this.post('/v1/ledger/transfers', entry.body, entry.key).catch(() => undefined);
    if (!answer || answer.status >= 500) return;
    entry.outcome = answer.status === 201 ? 'ok' : 'failed';
    entry.id = answer.body.id;
  }
}

/** The client of a demo tenant. */
export function clientOf({ api, tenants }: DevFile, slug = 'acme'): Client {
  return new Client(api, tenants.find((tenant) => tenant.slug === slug)?.adminKey ?? '');
}
