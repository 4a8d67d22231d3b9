import { randomUUID } from 'node:crypto';
import type { Random } from '@holdfast/testing';
import { type Answer, type Entry, isFinal, LedgerClients, type LedgerTenant, single } from './ledger-client';
import { expectSound } from './oracle';
import type { Stage } from './stage';
import { Traffic } from './traffic';

/** Final answers that are asked for again, to see whether they are the original ones. */
const ANSWERS_REPEATED = 20;

/** As many as there are clients under load. */
const SETTLED_AT_ONCE = 6;

const ACCOUNTS = [
  { normalBalance: 'debit', limit: 'none' },
  { normalBalance: 'debit', limit: 'none' },
  { normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' },
  { normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' },
  { normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' },
];

/** What a scene needs of its stage: two APIs, and the database behind them. */
export type LedgerStage = Pick<Stage, 'tenant' | 'mend'> & {
  readonly apis: readonly { readonly url: string }[];
  readonly database: Pick<Stage['database'], 'admin'>;
};

/** One run: two tenants of its own, their clients with a journal, and a load of requests. */
export class Scene<S extends LedgerStage = Stage> {
  private constructor(
    readonly stage: S,
    readonly tenants: readonly [LedgerTenant, LedgerTenant],
    readonly clients: LedgerClients,
    readonly traffic: Traffic,
  ) {}

  static async open<S extends LedgerStage>(stage: S, seed: number): Promise<Scene<S>> {
    await stage.mend();
    const tenants = [await ledgerTenant(stage), await ledgerTenant(stage)] as const;
    const clients = new LedgerClients(tenants, stage.apis);
    return new Scene(stage, tenants, clients, new Traffic(clients, tenants, seed));
  }

  /** Entries whose outcome nobody knows yet. */
  get unknown(): readonly Entry[] {
    return this.clients.journal.filter(({ effects }) => effects.some(({ outcome }) => outcome === 'unknown'));
  }

  /** A transfer of one, from the account without a limit to another. */
  transfer(tenant: LedgerTenant, amount = '1'): ReturnType<typeof single> {
    const [debitAccountId, creditAccountId] = tenant.accounts;
    return single(tenant, '/v1/ledger/transfers', {
      id: randomUUID(),
      debitAccountId,
      creditAccountId,
      amount,
    });
  }
}

/**
 * Ends the load, settles what is unknown by repeating it, and holds the database against the journal. What is repeated
 * once more, some of what had a final answer at once included, is answered as before.
 */
export async function settle(scene: Scene<LedgerStage>, random: Random): Promise<string> {
  const { clients, stage, tenants, traffic } = scene;
  await traffic.stop();
  const { journal, offences } = clients;
  const { unknown } = scene;
  const settleOne = async (entry: Entry): Promise<void> => void (entry.answer = await clients.settle(entry));
  for (let from = 0; from < unknown.length; from += SETTLED_AT_ONCE)
    await Promise.all(unknown.slice(from, from + SETTLED_AT_ONCE).map(settleOne));
  const final = journal.filter((entry) => isFinal(entry.answer) && !unknown.includes(entry));
  const some = Array.from({ length: Math.min(ANSWERS_REPEATED, final.length) }, () => random.pick(final));
  for (const entry of [...unknown, ...some])
    expect(comparable(await clients.settle(entry, random.between(0, 1)))).toEqual(comparable(entry.answer));
  await expectSound(
    stage.database,
    tenants.map(({ id }) => id),
    journal,
  );
  expect(offences).toEqual([]);
  const effects = journal.flatMap((entry) => entry.effects);
  const count = (outcome: string): number => effects.filter((effect) => effect.outcome === outcome).length;
  return `${count('ok')} ok, ${count('refused')} refused, ${count('unchanged')} unchanged, ${unknown.length} requests settled`;
}

/** What stays of an answer: a hold ends, a transfer is reversed, and an item that was created exists. */
export function comparable({ status, body }: Answer): object {
  const {
    status: _standing,
    endedById: _ended,
    reversedById: _reversed,
    requestId: _request,
    ...rest
  } = body;
  const text = JSON.stringify(rest).replaceAll('"created"', '"exists"');
  return { status, body: JSON.parse(text) as object };
}

/** A tenant with accounts of every kind, all but the first two with a limit. */
export async function ledgerTenant(stage: Pick<LedgerStage, 'tenant' | 'apis'>): Promise<LedgerTenant> {
  const mark = randomUUID();
  const tenant = await stage.tenant();
  const accounts: string[] = [];
  for (const [n, account] of ACCOUNTS.entries()) {
    const answer = await fetch(`${stage.apis[0]?.url}/v1/ledger/accounts`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tenant.key}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify({ code: `${mark}-${n}`, asset: 'EUR/2', ...account }),
    });
    accounts.push(((await answer.json()) as { readonly id: string }).id);
  }
  return { ...tenant, mark, accounts };
}
