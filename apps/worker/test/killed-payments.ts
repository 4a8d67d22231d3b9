import { newId } from '@holdfast/kernel';
import { findClearingBreaks, listAccountBreaks } from '@holdfast/payments';
import { type Random, TestBank } from '@holdfast/testing';
import { bankKeyOf, type Party, PaymentsStage } from '../../../libs/modules/payments/test/payments-stage';
import type { Death, MortalPlan } from '../../../libs/platform/sagas/test/mortal-process';
import { MortalProcesses } from '../../../libs/platform/sagas/test/mortal-processes';
import type { PaymentPlan } from './payment-process';

/**
 * What becomes of a payment: it is made; time runs out once there is most to give back; or the payee refuses. The same of one to a bank,
 * outside of the process, where time runs out once it has reserved the payment.
 */
export type PaymentKind = BankPaymentKind | 'made' | 'late' | 'refused';
type BankPaymentKind = 'bank_made' | 'bank_late' | 'bank_refused';

/** Transactions of the process that begins a payment of the kind and comes to its end: that of the request, and those of the saga. */
export const BOUNDARIES: Readonly<Record<PaymentKind, number>> = {
  ...{ made: 10, late: 12, refused: 9 },
  ...{ bank_made: 8, bank_late: 12, bank_refused: 10 },
};

/** What a bank is asked of a payment: to reserve it, and then to pay it or to cancel that. */
export const BANK_CALLS = 2;

/** All of them. */
export const KINDS = Object.keys(BOUNDARIES) as PaymentKind[];

/** Those to a bank. */
export const BANK_KINDS = KINDS.filter((kind) => kind.startsWith('bank'));

/** Of each wallet: more than all payments of a seed together. */
const FUNDS = 100_000n;

/** By which a payment's kind is known. */
const AMOUNTS: Readonly<Record<PaymentKind, string>> = {
  ...{ made: '100', late: '70', refused: '30' },
  ...{ bank_made: '99', bank_late: '69', bank_refused: '29' },
};
const IBAN = 'DE89370400440532013000';

const THERE = ['+request', '+hold', '+hold_for_payee'];
const BACK = ['-hold_for_payee', '-hold', '-request'];

/** What the logs of both have to tell of a payment at rest, in this order: steps, and what happened on either side. */
const TOLD = {
  made: {
    steps: [...THERE, '+decide', '+post', '+post_for_payee', '+complete'],
    payer: ['requested', 'decided', 'sent', 'completed'],
    payee: ['accepted', 'completed'],
    holds: ['payer placed', 'payee placed', 'payer posted', 'payee posted'],
  },
  late: {
    steps: [...THERE, ...BACK],
    payer: ['requested', 'compensated'],
    payee: ['accepted', 'compensated'],
    holds: ['payer placed', 'payee placed', 'payee voided', 'payer voided'],
  },
  refused: {
    steps: ['+request', '+hold', ...BACK],
    payer: ['requested', 'compensated'],
    payee: [],
    holds: ['payer placed', 'payer voided'],
  },
  bank_made: {
    steps: ['+request', '+hold', '+reserve', '+pay', '+post'],
    ...{ payer: ['bank_requested', 'sent', 'completed'], payee: [] },
    ...{ holds: ['payer placed', 'payer posted'], bank: ['paid'] },
  },
  bank_late: {
    steps: ['+request', '+hold', '+reserve', '-reserve', '-hold', '-request'],
    ...{ payer: ['bank_requested', 'compensated'], payee: [] },
    ...{ holds: ['payer placed', 'payer voided'], bank: ['cancelled'] },
  },
  bank_refused: {
    steps: ['+request', '+hold', '-reserve', '-hold', '-request'],
    ...{ payer: ['bank_requested', 'compensated'], payee: [] },
    ...{ holds: ['payer placed', 'payer voided'], bank: ['refused'] },
  },
} as const;

/** A payment as the payer's row has it. */
interface KilledPayment {
  readonly id: string;
  readonly payerId: string;
  /** Null of one to a bank. */
  readonly payeeId: string | null;
  readonly kind: PaymentKind;
}

/** Processes that are killed while they make payments between a few tenants, and those that go on. */
export class KilledPayments {
  private parties: readonly Party[] = [];
  private begun = 0;

  private constructor(
    private readonly stage: PaymentsStage,
    private readonly bank: TestBank,
    private readonly processes: MortalProcesses<PaymentPlan>,
  ) {}

  static async open(): Promise<KilledPayments> {
    const stage = await PaymentsStage.open();
    // Time runs out in the very instant in which there is most to give back.
    await stage.database.admin(
      `create function sagas.run_late() returns trigger language plpgsql as
       $$ begin new.deadline_at := clock_timestamp(); return new; end $$`,
      [],
    );
    await stage.database.admin(
      `create trigger run_late before update on sagas.sagas for each row
       when (new.input->>'amount' = '70' and new.results ? 'hold_for_payee' and not old.results ? 'hold_for_payee'
         or new.input->>'amount' = '69' and new.results ? 'reserve' and not old.results ? 'reserve')
       execute function sagas.run_late()`,
      [],
    );
    const program = 'apps/worker/test/payment-process.ts';
    const bank = await TestBank.start();
    bank.refusedAmounts.add(AMOUNTS.bank_refused);
    return new KilledPayments(stage, bank, new MortalProcesses(stage.database, program));
  }

  async close(): Promise<void> {
    this.processes.close();
    await Promise.all([this.stage.close(), this.bank.stop()]);
  }

  /** Begins anew, between tenants that nobody has paid yet. */
  async arrange(): Promise<void> {
    const party = (): Promise<Party> => this.stage.party('credit', FUNDS);
    this.parties = [await party(), await party(), await party()];
    this.begun = 0;
  }

  /** A process that asks for a payment from any to any other and is killed there; answers whether it was. */
  async kill(kind: PaymentKind, killed: Death, random: Random): Promise<boolean> {
    // The first transaction asks for it.
    if (killed.at > 1 || killed.isBehind) this.begun += 1;
    return this.processes.kill(this.planOf(kind, random), killed);
  }

  /** One that is killed when the bank has done what it asks for the nth time: the answer is lost. */
  async killAsking(kind: PaymentKind, at: number, random: Random): Promise<boolean> {
    let done = 0;
    this.bank.onDone = () => {
      done += 1;
      if (done === at) this.processes.close();
    };
    this.begun += 1;
    const wasKilled = await this.processes.kill(this.planOf(kind, random));
    this.bank.onDone = undefined;
    return wasKilled;
  }

  private planOf(kind: PaymentKind, random: Random): Omit<PaymentPlan, keyof MortalPlan> {
    const payer = random.pick(this.parties);
    const payee = random.pick(this.parties.filter((party) => party !== payer));
    const { fromAccountId, asset, amount, ...to } = this.stage.input(payer, payee, BigInt(AMOUNTS[kind]));
    const toTenant = kind === 'refused' ? { ...to, toAccountId: newId() } : to;
    const target = BANK_KINDS.includes(kind) ? { toIban: IBAN } : toTenant;
    const input = { fromAccountId, asset, amount, ...target };
    return { begins: [{ tenantId: payer.id, input }], takes: false, bankUrl: this.bank.url };
  }

  /** A process that takes up all that is left and is killed on the way; answers whether it was, or undefined where nothing is left. */
  async killTaker(random: Random): Promise<boolean | undefined> {
    const left = await this.endLeases();
    if (left === 0) return undefined;
    // Each is one transaction at least, that of taking it.
    const killed = { at: random.between(1, left), isBehind: random.next() < 0.5 };
    return this.processes.kill({ begins: [], takes: true, bankUrl: this.bank.url }, killed);
  }

  /** Has a worker that lives go on with what is left; answers what does not hold once all is at rest. */
  async findBreaks(): Promise<string[]> {
    await this.endLeases();
    const worker = await this.processes.worker({ begins: [], takes: false, bankUrl: this.bank.url });
    const payments = await this.payments();
    const breaks: string[] = [];
    for (const { id } of payments) await this.processes.ended(id);
    worker.kill('SIGKILL');
    if (payments.length !== this.begun) breaks.push(`${payments.length} payments of ${this.begun}`);
    for (const each of payments) breaks.push(...(await this.breaksOf(each)));
    return [...breaks, ...(await this.breaksOfBooks(payments))];
  }

  /** Of a payment: both sides' ends, and what the logs tell of how it came to them. */
  private async breaksOf({ id, payerId, payeeId, kind }: KilledPayment): Promise<string[]> {
    const events = await this.eventsOf(id);
    const of = (tenantId: string | null): string =>
      events
        .filter((each) => each.stream === 'payments.payment' && each.tenantId === tenantId)
        .map(({ what }) => what)
        .join();
    const steps = events.flatMap(({ stream, what, step }) =>
      stream === 'sagas.saga' && step !== null ? [`${what === 'step_completed' ? '+' : '-'}${step}`] : [],
    );
    const holds = (await this.stage.holdEvents(id)).map(
      ({ tenantId, type }) => `${tenantId === payerId ? 'payer' : 'payee'} ${type.split('.').at(-1)}`,
    );
    const end = isMade(kind) ? 'completed' : 'compensated';
    const told = TOLD[kind];
    const checks: [string, string | undefined, string | undefined][] = [
      ...(await this.endsOf({ id, payerId, payeeId, kind }, end)),
      ['the steps', steps.join(), told.steps.join()],
      ['the payer’s events', of(payerId), told.payer.join()],
      ['the payee’s events', of(payeeId), told.payee.join()],
      ['the holds', holds.join(), told.holds.join()],
    ];
    return checks.flatMap(([what, is, wanted]) =>
      is === wanted ? [] : [`${kind} ${id}: ${what}: ${is}, not ${wanted}`],
    );
  }

  /** How it has ended on either side, and how it should have: `end`, where it was begun there. */
  private async endsOf(
    { id, payerId, payeeId, kind }: KilledPayment,
    end: string,
  ): Promise<[string, string | undefined, string | undefined][]> {
    if (payeeId !== null) {
      const halves = await this.stage.halves(id);
      return [
        ['the payer’s end', halves[payerId]?.status, end],
        ['the payee’s end', halves[payeeId]?.status, kind === 'refused' ? undefined : end],
      ];
    }
    const told = TOLD[kind as BankPaymentKind];
    return [
      ['its end', await this.processes.ended(id), end],
      ['the bank’s end', this.bank.payments.get(bankKeyOf({ tenantId: payerId, sagaId: id })), told.bank[0]],
    ];
  }

  /** What `holdfast ledger verify` finds, and what somebody has more or less than was paid. */
  private async breaksOfBooks(payments: readonly KilledPayment[]): Promise<string[]> {
    const { stage, parties } = this;
    const found: unknown[] = [...(await stage.breaks(...parties))];
    for (const party of parties) {
      found.push(
        ...(await stage.tenants.reading(await stage.callerFor(party.id), (tx) => listAccountBreaks(tx, 10))),
      );
      const moved = (side: 'payerId' | 'payeeId'): bigint =>
        payments
          .filter((each) => isMade(each.kind) && each[side] === party.id)
          .reduce((sum, { kind }) => sum + BigInt(AMOUNTS[kind]), 0n);
      const has = FUNDS + moved('payeeId') - moved('payerId');
      const wallet = await stage.wallet(party);
      if (wallet.has !== has || wallet.held !== 0n)
        found.push(`${party.id} has ${wallet.has} and ${wallet.held} held, not ${has}`);
    }
    const relay = stage.database.as('holdfast_relay', 1);
    found.push(...(await findClearingBreaks({ relay, grants: stage.grants })));
    const [clearing] = await stage.database.admin(
      `select from ledger.accounts where owner = 'payments' and code not like 'payments/bank/%'
         having sum(posted_credits - posted_debits) <> 0
         or sum(pending_credits + pending_debits) <> 0`,
      [],
    );
    if (clearing) found.push('clearing accounts do not add up to zero');
    return found.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  }

  /** Ends the leases of whoever was killed; answers how many are left. */
  private async endLeases(): Promise<number> {
    const ids = (await this.payments()).map(({ id }) => id);
    await this.processes.endLeases(ids);
    const left = await this.stage.database.admin(
      'select from sagas.sagas where id = any ($1) and due_at is not null',
      [ids],
    );
    return left.length;
  }

  private async payments(): Promise<KilledPayment[]> {
    const rows = await this.stage.database.admin<Omit<KilledPayment, 'kind'> & { readonly amount: string }>(
      `select id, tenant_id as "payerId", counterparty_id as "payeeId", amount::text from payments.payments
       where direction = 'outgoing' and tenant_id = any ($1)
       union all
       select id, tenant_id, null, input->>'amount' from sagas.sagas where name = 'payments.bank_payment' and tenant_id = any ($1)
       order by id`,
      [this.parties.map(({ id }) => id)],
    );
    return rows.map(({ amount, ...payment }) => ({
      ...payment,
      kind: KINDS.find((kind) => AMOUNTS[kind] === amount) ?? 'made',
    }));
  }

  private async eventsOf(id: string): Promise<
    readonly {
      readonly tenantId: string;
      readonly stream: string;
      readonly what: string;
      readonly step: string | null;
    }[]
  > {
    return this.stage.database.admin(
      `select tenant_id as "tenantId", stream_type as stream, split_part(type, '.', 3) as what, data->>'step' as step
       from events.log where stream_id = $1 order by seq`,
      [id],
    );
  }
}

function isMade(kind: PaymentKind): boolean {
  return kind === 'made' || kind === 'bank_made';
}
