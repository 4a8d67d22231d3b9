import { randomUUID } from 'node:crypto';
import { type Effect, single } from './ledger-client';
import { expectSound } from './oracle';
import type { Scene } from './scene';

/** Something that must never be, done to a scene that is settled; answers how it is undone. */
interface Break {
  readonly name: string;
  apply(scene: Scene): Promise<() => Promise<unknown>>;
}

/** Breaks of the books: what is done and undone to rows of a tenant, as the superuser. */
const BOOKS: readonly (readonly [
  name: string,
  table: string,
  change: string,
  undo: string,
  where: string,
])[] = [
  [
    'a total',
    'ledger.accounts',
    'posted_debits = posted_debits + 1',
    'posted_debits = posted_debits - 1',
    'version > 0',
  ],
  ['a version', 'ledger.accounts', 'version = version + 1', 'version = version - 1', 'version > 0'],
  [
    'an amount',
    'ledger.transfers',
    'amount = amount + 1',
    'amount = amount - 1',
    "refusal is null and kind = 'hold'",
  ],
  [
    'a limit',
    'ledger.transfers',
    'debit_account_debits = debit_account_debits + 1000000',
    'debit_account_debits = debit_account_debits - 1000000',
    `refusal is null and debit_account_id in (
       select a.id from ledger.accounts a where a.limit_rule = 'debits_must_not_exceed_credits')`,
  ],
  ['an event', 'events.log', "type = 'x' || type", 'type = substr(type, 2)', "type like 'ledger.transfer.%'"],
];

function ofBooks([name, table, change, undo, where]: (typeof BOOKS)[number]): Break {
  return {
    name,
    apply: async ({ stage: { database }, tenants: [{ id }] }) => {
      const [row] = await database.admin<{ id: string }>(
        `select id from ${table} where tenant_id = '${id}' and ${where} limit 1`,
      );
      // Not even the superuser changes what is written once, but with triggers off.
      const update = (set: string): Promise<unknown> =>
        database.admin(
          `set session_replication_role = replica;
           update ${table} set ${set} where tenant_id = '${id}' and id = '${row?.id}'`,
        );
      await update(change);
      return () => update(undo);
    },
  };
}

/** Breaks of the journal: an effect that clients believe otherwise. */
function ofJournal(name: string, from: Effect['outcome'], to: Effect['outcome']): Break {
  return {
    name,
    apply: async ({ clients }) => {
      const effect = clients.journal
        .flatMap(({ effects }) => effects)
        .find(({ outcome }) => outcome === from);
      if (!effect) throw new Error(`nothing is ${from}`);
      effect.outcome = to;
      return async () => (effect.outcome = from);
    },
  };
}

const lost: Break = {
  name: 'an acknowledged transfer',
  apply: async ({ clients, tenants: [tenant] }) => {
    const id = randomUUID();
    const effects: Effect[] = [{ id, amount: '1', outcome: 'ok' }];
    const answer = { status: 201, body: { id } };
    clients.journal.push({ ...single(tenant, '', {}), effects, answer, sentAtMs: 0, heardAtMs: 0 });
    return async () => clients.journal.pop();
  },
};

const BREAKS: readonly Break[] = [
  ...BOOKS.map(ofBooks),
  ofJournal('a transfer that was refused', 'ok', 'refused'),
  ofJournal('a transfer that was not made', 'ok', 'unchanged'),
  lost,
];

/** Breaks one thing after the other in a settled scene, and sees to it that the oracle notices each. */
export async function expectNoticed(scene: Scene): Promise<void> {
  const { stage, tenants, clients } = scene;
  const ids = tenants.map(({ id }) => id);
  const missed: string[] = [];
  for (const { name, ...done } of BREAKS) {
    const undo = await done.apply(scene);
    await expectSound(stage.database, ids, clients.journal).then(
      () => missed.push(name),
      () => {}, // Noticed.
    );
    await undo();
  }
  expect(missed).toEqual([]);
  await expectSound(stage.database, ids, clients.journal);
}
