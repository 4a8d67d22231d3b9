import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { announcement, eventType, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { Module } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { fresh, LedgerApp } from '../../test/ledger-app';
import { type PostedItem, postInTransaction } from './post-in-transaction';
import type { WrittenItem } from './transfer-input';

const invoicePaid = eventType('test.invoice.paid', {
  version: 1,
  description: 'Paid.',
  schema: z.object({}),
  example: {},
});

/** Stands for a row of the other module. */
const MARK_PAID = statement(
  'test.mark_paid',
  `insert into tenants.usage_counts (tenant_id, used_on, event_type, event_count) values ($1, '2026-01-01', $2, 1)`,
);

interface Invoice {
  readonly id: string;
  readonly items: readonly WrittenItem[];
}

/** A command of another module. */
class PayInvoice extends TenantCommand<Invoice, { readonly results: string[] }> {
  readonly scope = 'ledger:write';
}

@CommandHandler(PayInvoice)
class PayInvoiceHandler extends TenantCommandHandler<PayInvoice> {
  protected async handle(tx: TenantTx, { input: { id, items } }: PayInvoice): Promise<{ results: string[] }> {
    await tx.execute(MARK_PAID, [tx.tenantId, id]);
    const posted = await postInTransaction(tx, items);
    await tx.announce(announcement(invoicePaid, { id, version: 1n }, {}));
    const refused = posted.find(({ refusal }) => refusal !== null);
    if (refused?.refusal) throw refused.refusal;
    return { results: posted.map(({ result }) => result) };
  }
}

@Module({ providers: [PayInvoiceHandler] })
class InvoicesModule {}

describe('postInTransaction', () => {
  let ledger: LedgerApp;
  let cash: string;
  let wallet: string;

  beforeAll(async () => void (ledger = await LedgerApp.start([InvoicesModule])));
  beforeEach(async () => {
    await ledger.enter();
    cash = await ledger.open();
    wallet = await ledger.open({ limit: 'debits_must_not_exceed_credits' });
  });
  afterAll(() => ledger.close());

  const pay = (invoice: Invoice, key = fresh()): Promise<{ readonly results: string[] }> =>
    ledger.commands.execute(new PayInvoice(ledger.caller, invoice, key));
  const fund = (amount = '5'): WrittenItem => ({
    ...{ id: newId(), debitAccountId: cash, creditAccountId: wallet, amount },
  });
  const spend = (amount = '5'): WrittenItem => ({
    ...{ id: newId(), debitAccountId: wallet, creditAccountId: cash, amount },
  });

  /** What is left behind of an invoice: rows of the other module and of the ledger, and types of events. */
  const left = async (id: string): Promise<unknown[]> => {
    const [row] = await ledger.database.admin<{
      paid: number;
      transfers: number;
      version: number;
      types: string[];
    }>(
      `select (select count(*)::int from tenants.usage_counts where tenant_id = $1 and event_type = $2) as paid,
         (select count(*)::int from ledger.transfers where tenant_id = $1) as transfers,
         (select version::int from ledger.accounts where tenant_id = $1 and id = $3) as version,
         array(select distinct type from events.log where tenant_id = $1 and type !~ 'opened' order by 1) as types`,
      [ledger.caller.tenantId, id, cash],
    );
    return [row?.paid, row?.transfers, row?.version, row?.types];
  };

  it('commits money with the row and the event of the command, and does it once for a key', async () => {
    const [id, key] = [newId(), fresh()];
    const invoice = { id, items: [fund(), { ...spend(), pending: true }] };
    expect(await pay(invoice, key)).toEqual({ results: ['created', 'created'] });
    const all = [1, 2, 2, ['ledger.hold.placed', 'ledger.transfer.posted', 'test.invoice.paid']];
    expect(await left(id)).toEqual(all);
    expect(await pay(invoice, key)).toEqual({ results: ['created', 'created'] });
    expect(key.replayed).toBe(true);
    expect(await left(id)).toEqual(all);
  });

  it('leaves nothing behind when the command throws, the refused transfer included', async () => {
    const id = newId();
    const [paid, refused] = [fund(), spend('6')];
    await expect(pay({ id, items: [paid, refused] })).rejects.toMatchObject({
      code: 'ledger.exceeds_credits',
    });
    expect(await left(id)).toEqual([0, 0, 0, []]);
    expect(await pay({ id, items: [fund('6'), refused] })).toEqual({ results: ['created', 'created'] });
  });

  const inOne = <T>(work: (tx: TenantTx) => Promise<T>): Promise<T> =>
    ledger.module.get(TenantDatabase, { strict: false }).transaction(ledger.caller, work);

  it('answers each item with its transfer or its refusal, and goes on behind both', async () => {
    const known = fund();
    await ledger.batch([known]);
    const posted = await inOne((tx) => postInTransaction(tx, [known, spend('9'), spend('5')]));
    const shown = ({ result, transfer, refusal }: PostedItem): unknown[] => [
      ...[result, transfer?.debitVersion, refusal?.code],
    ];
    expect(posted.map(shown)).toEqual([
      ['exists', '1', undefined],
      ['ledger.exceeds_credits', undefined, 'ledger.exceeds_credits'],
      ['created', '2', undefined],
    ]);
  });

  it('is run again when two that post twice lock their accounts the other way round', async () => {
    const others = [await ledger.open(), await ledger.open()];
    const [mine, theirs] = [
      fund,
      (): WrittenItem => ({
        ...{ id: newId(), debitAccountId: others[0]!, creditAccountId: others[1]!, amount: '1' },
      }),
    ] as const;
    let runs = 0;
    const both = Promise.withResolvers<void>();
    const twice = (first: WrittenItem, second: WrittenItem): Promise<PostedItem[][]> =>
      inOne(async (tx) => {
        const one = await postInTransaction(tx, [first]);
        runs += 1;
        if (runs === 2) both.resolve();
        await both.promise; // Each holds what the other is about to ask for.
        return [one, await postInTransaction(tx, [second])];
      });
    const answers = await Promise.all([twice(mine(), theirs()), twice(theirs(), mine())]);
    expect(answers.flat(2).map(({ result }) => result)).toEqual(Array(4).fill('created'));
    expect(runs).toBeGreaterThan(2);
    expect((await ledger.account(cash)).version).toBe('2');
  });
});
