import { newId } from '@holdfast/kernel';
import { findClearingBreaks, listAccountBreaks } from '@holdfast/payments';
import type { Random } from '@holdfast/testing';
import { type Party, PaymentsStage } from '../../../libs/modules/payments/test/payments-stage';
import type { Death } from '../../../libs/platform/sagas/test/mortal-process';
import { MortalProcesses } from '../../../libs/platform/sagas/test/mortal-processes';
import type { PaymentPlan } from './payment-process';

/** What becomes of a payment: it is made; time runs out once both halves are held, so that both are given back; or the payee refuses. */
export type PaymentKind = 'made' | 'late' | 'refused';

/** Transactions of the process that begins a payment of the kind and comes to its end: that of the request, and those of the saga. */
export const BOUNDARIES: Readonly<Record<PaymentKind, number>> = { made: 10, late: 12, refused: 9 };

/** All of them. */
export const KINDS: readonly PaymentKind[] = ['made', 'late', 'refused'];

/** Of each wallet: more than all payments of a seed together. */
const FUNDS = 100_000n;

/** By which a payment's kind is known. */
const AMOUNTS: Readonly<Record<PaymentKind, string>> = { made: '100', late: '70', refused: '30' };

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
} as const;

/** A payment as the payer's row has it. */
interface KilledPayment {
  readonly id: string;
  readonly payerId: string;
  readonly payeeId: string;
  readonly kind: PaymentKind;
}

/** Processes that are killed while they make payments between a few tenants, and those that go on. */
export class KilledPayments {
  private parties: readonly Party[] = [];
  private begun = 0;

  private constructor(
    private readonly stage: PaymentsStage,
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
       when (new.input->>'amount' = '70' and new.results ? 'hold_for_payee' and not old.results ? 'hold_for_payee')
       execute function sagas.run_late()`,
      [],
    );
    const program = 'apps/worker/test/payment-process.ts';
    return new KilledPayments(stage, new MortalProcesses(stage.database, program));
  }

  async close(): Promise<void> {
    this.processes.close();
    await this.stage.close();
  }

  /** Begins anew, between tenants that nobody has paid yet. */
  async arrange(): Promise<void> {
    const party = (): Promise<Party> => this.stage.party('credit', FUNDS);
    this.parties = [await party(), await party(), await party()];
    this.begun = 0;
  }

  /** A process that asks for a payment from any to any other and is killed there; answers whether it was. */
  async kill(kind: PaymentKind, killed: Death, random: Random): Promise<boolean> {
    const payer = random.pick(this.parties);
    const payee = random.pick(this.parties.filter((party) => party !== payer));
    const asked = this.stage.input(payer, payee, BigInt(AMOUNTS[kind]));
    const input = kind === 'refused' ? { ...asked, toAccountId: newId() } : asked;
    // The first transaction asks for it.
    if (killed.at > 1 || killed.isBehind) this.begun += 1;
    return this.processes.kill({ begins: [{ tenantId: payer.id, input }], takes: false }, killed);
  }

  /** A process that takes up all that is left and is killed on the way; answers whether it was, or undefined where nothing is left. */
  async killTaker(random: Random): Promise<boolean | undefined> {
    const left = await this.endLeases();
    if (left === 0) return undefined;
    // Each is one transaction at least, that of taking it.
    const killed = { at: random.between(1, left), isBehind: random.next() < 0.5 };
    return this.processes.kill({ begins: [], takes: true }, killed);
  }

  /** Has a worker that lives go on with what is left; answers what does not hold once all is at rest. */
  async findBreaks(): Promise<string[]> {
    await this.endLeases();
    const worker = await this.processes.worker({ begins: [], takes: false });
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
    const of = (tenantId: string): string =>
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
    const halves = await this.stage.halves(id);
    const end = kind === 'made' ? 'completed' : 'compensated';
    const told = TOLD[kind];
    const checks: [string, string | undefined, string | undefined][] = [
      ['the payer’s end', halves[payerId]?.status, end],
      ['the payee’s end', halves[payeeId]?.status, kind === 'refused' ? undefined : end],
      ['the steps', steps.join(), told.steps.join()],
      ['the payer’s events', of(payerId), told.payer.join()],
      ['the payee’s events', of(payeeId), told.payee.join()],
      ['the holds', holds.join(), told.holds.join()],
    ];
    return checks.flatMap(([what, is, wanted]) =>
      is === wanted ? [] : [`${kind} ${id}: ${what}: ${is}, not ${wanted}`],
    );
  }

  /** What `holdfast ledger verify` finds, and what somebody has more or less than was paid. */
  private async breaksOfBooks(payments: readonly KilledPayment[]): Promise<string[]> {
    const { stage, parties } = this;
    const found: unknown[] = [...(await stage.breaks(...parties))];
    for (const party of parties) {
      found.push(
        ...(await stage.tenants.reading(await stage.callerFor(party.id), (tx) => listAccountBreaks(tx, 10))),
      );
      const made = payments.filter(({ kind }) => kind === 'made');
      const count = (side: 'payerId' | 'payeeId'): number =>
        made.filter((each) => each[side] === party.id).length;
      const has = FUNDS + BigInt(count('payeeId') - count('payerId')) * BigInt(AMOUNTS.made);
      const wallet = await stage.wallet(party);
      if (wallet.has !== has || wallet.held !== 0n)
        found.push(`${party.id} has ${wallet.has} and ${wallet.held} held, not ${has}`);
    }
    const relay = stage.database.as('holdfast_relay', 1);
    found.push(...(await findClearingBreaks({ relay, grants: stage.grants })));
    const [clearing] = await stage.database.admin(
      `select from ledger.accounts where owner = 'payments' having sum(posted_credits - posted_debits) <> 0
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
       where direction = 'outgoing' and tenant_id = any ($1) order by id`,
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
