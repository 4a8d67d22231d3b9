import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { LedgerModule, OpenAccount, PostTransfer, verifyLedger } from '@holdfast/ledger';
import { type Saga, SagaRunner, type Steering, steerSaga } from '@holdfast/sagas';
import { callerOf, Grants, type TenantDatabase } from '@holdfast/tenancy';
import { HaltingTenants, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import type { PaymentView } from '../src/payment';
import { PaymentById } from '../src/payment-by-id.query';
import type { PaymentInput } from '../src/payment-legs';
import { payment } from '../src/payment.saga';
import { PaymentsModule } from '../src/payments.module';
import { SendPayment } from '../src/send-payment.command';

export { bankKeyOf } from '../src/bank/bank-payment.saga';

/** A tenant that pays and is paid: a wallet with money, and the account that the money came from. */
export interface Party {
  readonly id: string;
  readonly caller: Caller;
  readonly wallet: string;
  readonly source: string;
}

/** What each party's wallet begins with. */
export const FUNDS = 1_000n;
const ASSET = 'EUR/2';

const BEGIN_IMPORT = statement('test.begin_import', 'select tenancy.begin_import($1)');
const EXPORT = statement<{ readonly file: string; readonly lines: readonly string[] }>(
  'test.export_all',
  `select t.relation as file, array_agg(p.line) as lines
   from tenancy.export_tables() with ordinality t (relation, row_count, place)
   cross join lateral tenancy.export_page(t.relation, null, 1000, 10000000) p
   where t.relation <> 'tenants.tenants'
   group by t.relation, t.place
   order by t.place`,
);
const IMPORT = statement('test.import_page', 'select tenancy.import_page($1, $2)');

/** How many transactions a process makes that claims a payment: as far as both halves are held, or both are and it is decided. */
export const BOTH_HELD = 5;
export const DECIDED = 6;

/** Ledgers of tenants that there are, over a database of a spec file's own. */
export class PaymentsStage {
  private constructor(
    readonly database: TestDatabase,
    readonly grants: Grants,
    readonly tenants: TenantDatabase,
    private readonly app: INestApplicationContext,
    readonly runner: SagaRunner,
  ) {}

  static async open(): Promise<PaymentsStage> {
    const database = await TestDatabase.create();
    const tenants = database.tenants(10);
    const grants = new Grants(database.as('holdfast_auth', 2));
    const relay = database.as('holdfast_relay', 2);
    const runner = new SagaRunner({ tenants, grants, relay, report: () => {} });
    const imports = [MessagesModule.forRoot(tenants), LedgerModule, PaymentsModule.forRoot(runner)];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new PaymentsStage(database, grants, tenants, app, runner);
  }

  /** Asks for a payment over the command, and waits until this process is through with it. */
  async pay(from: Party, input: PaymentInput): Promise<PaymentView> {
    const asked = { ...input, amount: BigInt(input.amount) };
    const { id } = await this.app.get(CommandBus).execute(new SendPayment(from.caller, asked));
    await this.runner.whenIdle(id);
    return this.payment(from, id);
  }

  /** One side's half. */
  payment({ caller }: Party, id: string): Promise<PaymentView> {
    return this.app.get(QueryBus).execute(new PaymentById(caller, { id }));
  }

  get commands(): CommandBus {
    return this.app.get(CommandBus);
  }

  get queries(): QueryBus {
    return this.app.get(QueryBus);
  }

  /** Begins a payment with a process that stops behind so many of its transactions. */
  async halted(
    from: Party,
    to: Party,
    transactions: number,
    saga: Saga<PaymentInput> = payment,
  ): Promise<string> {
    const tenants = new HaltingTenants(this.tenants, transactions);
    const { grants } = this;
    const relay = this.database.as('holdfast_relay', 1);
    const runner = new SagaRunner({ tenants, grants, relay, report: () => {} });
    const beginning = new SagaRunner({ tenants: this.tenants, grants, report: () => {}, lanes: 0 });
    const id = await this.tenants.transaction(from.caller, (tx) =>
      beginning.begin(tx, saga, this.input(from, to)),
    );
    await runner.runDue();
    await runner.stop();
    return id;
  }

  /** Another process goes on with it, at once, as often as it takes; with that of one tenant where two have one of the id. */
  async resume(id: string, of?: Party): Promise<string> {
    for (;;) {
      const [row] = await this.database.admin<{ state: string; due: boolean }>(
        `update sagas.sagas set lease_until = null, due_at = case when due_at is not null then clock_timestamp() end
         where id = $1 and tenant_id = coalesce($2, tenant_id) returning state, due_at is not null as due`,
        [id, of?.id ?? null],
      );
      if (!row?.due) return row?.state ?? 'none';
      await this.runner.runDue();
    }
  }

  async steer({ caller }: Party, id: string, steering: Steering): Promise<void> {
    await this.tenants.transaction(caller, (tx) => steerSaga(tx, id, steering));
  }

  async close(): Promise<void> {
    await this.runner.stop();
    await this.app.close();
    this.grants.close();
    await this.database.drop();
  }

  /** A tenant that payments reach, with money in its wallet, which may not be overdrawn. */
  async party(normalBalance: 'debit' | 'credit' = 'credit', funds = FUNDS): Promise<Party> {
    const id = newId();
    await this.database.admin('insert into auth.tenants (id, slug) values ($1, $2)', [id, `t-${id}`]);
    const caller = await this.callerFor(id);
    const limit =
      normalBalance === 'credit' ? 'debits_must_not_exceed_credits' : 'credits_must_not_exceed_debits';
    const wallet = await this.account(caller, { normalBalance, limit });
    const source = await this.account(caller, {
      normalBalance: normalBalance === 'credit' ? 'debit' : 'credit',
    });
    const [debitAccountId, creditAccountId] =
      normalBalance === 'credit' ? [source, wallet] : [wallet, source];
    await this.transfer(caller, { debitAccountId, creditAccountId, amount: funds });
    return { id, caller, wallet, source };
  }

  /** A tenant that has what the exports of another hold. */
  async copy(party: Party): Promise<Party> {
    const id = newId();
    await this.database.admin('insert into auth.tenants (id, slug) values ($1, $2)', [id, `t-${id}`]);
    await this.database.admin('insert into tenants.tenants (tenant_id, slug, name) values ($1, $2, $2)', [
      ...[id, `t-${id}`],
    ]);
    const operator = callerOf(await this.grants.forSystem('operator', id), { requestId: newId() });
    await this.tenants.transaction(operator, (tx) => tx.execute(BEGIN_IMPORT, ['0'.repeat(64)]));
    const pages = await this.tenants.transaction(party.caller, (tx) => tx.rows(EXPORT, []));
    await this.tenants.transaction(operator, async (tx) => {
      for (const { file, lines } of pages) await tx.execute(IMPORT, [file, lines]);
    });
    return { ...party, id, caller: await this.callerFor(id) };
  }

  /** Somebody in the tenant, for the five minutes that a grant lasts: a party's caller is as old as the party. */
  async callerFor(tenantId: string): Promise<Caller> {
    return callerOf(await this.grants.forSystem('test', tenantId), { requestId: newId() });
  }

  async account(caller: Caller, fields: Partial<OpenAccount['input']>): Promise<string> {
    const account = {
      code: newId(),
      asset: ASSET,
      normalBalance: 'credit',
      limit: 'none',
      metadata: {},
    } as const;
    return (await this.app.get(CommandBus).execute(new OpenAccount(caller, { ...account, ...fields }))).id;
  }

  async transfer(caller: Caller, fields: object): Promise<string> {
    const plain = { pending: false, timeoutSeconds: null, metadata: {}, amount: 5n };
    const input = { ...plain, ...fields } as PostTransfer['input'];
    return (await this.app.get(CommandBus).execute(new PostTransfer(caller, input))).id;
  }

  /** What the saga of a payment begins with. */
  input(from: Party, to: Party, amount = 100n): PaymentInput {
    return {
      ...{ fromAccountId: from.wallet, toTenantId: to.id, toAccountId: to.wallet },
      ...{ amount: String(amount), asset: ASSET },
    };
  }

  /** Posted and pending: what the wallet has, and what is held on it either way. */
  async wallet({ wallet }: Party): Promise<{ readonly has: bigint; readonly held: bigint }> {
    const [row] = await this.database.admin<{ has: string; held: string }>(
      `select abs(posted_credits - posted_debits)::text as has, (pending_credits + pending_debits)::text as held
       from ledger.accounts where id = $1`,
      [wallet],
    );
    return { has: BigInt(row?.has ?? 0), held: BigInt(row?.held ?? 0) };
  }

  /** Each side's row, by its tenant. */
  async halves(
    id: string,
  ): Promise<Readonly<Record<string, { readonly status: string; readonly reason: string | null }>>> {
    const rows = await this.database.admin<{ tenant_id: string; status: string; reason: string | null }>(
      'select tenant_id, status, reason from payments.payments where id = $1',
      [id],
    );
    return Object.fromEntries(rows.map(({ tenant_id: tenantId, ...half }) => [tenantId, half]));
  }

  /** What is posted on all clearing accounts between two tenants, and how much is held on them. */
  async clearing(one: Party, other: Party): Promise<{ readonly posted: string; readonly held: string }> {
    const [row] = await this.database.admin<{ posted: string; held: string }>(
      `select coalesce(sum(posted_credits - posted_debits), 0)::text as posted,
         coalesce(sum(pending_credits + pending_debits), 0)::text as held
       from ledger.accounts where owner = 'payments' and tenant_id = any ($1)`,
      [[one.id, other.id]],
    );
    return row ?? { posted: '', held: '' };
  }

  /** What does not hold in the books of the parties. */
  async breaks(...parties: readonly Party[]): Promise<readonly unknown[]> {
    const found = [];
    for (const { id } of parties)
      found.push(...(await verifyLedger(this.tenants, await this.callerFor(id), { isFull: true })).breaks);
    return found;
  }

  /** The holds of a payment and what became of them, in the order of the log, with the tenant of each. */
  async holdEvents(id: string): Promise<readonly { readonly tenantId: string; readonly type: string }[]> {
    return this.database.admin(
      `select tenant_id as "tenantId", type from events.log
       where stream_type = 'ledger.hold' and stream_id in (
         select hold_id from payments.payments where id = $1
         union all select (results->'hold'->>'holdId')::uuid from sagas.sagas where id = $1)
       order by seq`,
      [id],
    );
  }

  /** Steps that the payer's trail tells to be compensated, in their order. */
  async compensations(id: string): Promise<readonly string[]> {
    const rows = await this.database.admin<{ step: string }>(
      `select data->>'step' as step from events.log
       where stream_type = 'sagas.saga' and stream_id = $1 and type = 'sagas.saga.step_compensated' order by seq`,
      [id],
    );
    return rows.map(({ step }) => step);
  }
}
