import { eventually } from '@holdfast/testing';
import type { Client } from 'pg';
import type { LedgerTenant } from '../ledger-faults/ledger-client';
import { ledgerTenant } from '../ledger-faults/scene';
import type { PaymentTraffic } from './payment-traffic';
import type { Slot, UpdateStage } from './update-stage';

/** They are tried again within a minute, by a worker that has to start. */
const ENDED_WITHIN_MS = 180_000;

/** Payments begun by the old release to an account that a transaction holds, so that they are under way until it ends. */
export class StuckPayments {
  private constructor(
    private readonly payments: PaymentTraffic<Slot>,
    private readonly payer: LedgerTenant,
    private readonly ids: readonly string[],
    private readonly holder: Client,
  ) {}

  static async begin(
    stage: UpdateStage,
    payments: PaymentTraffic<Slot>,
    count: number,
  ): Promise<StuckPayments> {
    const [payer, payee] = [await ledgerTenant(stage), await ledgerTenant(stage)];
    const holder = await stage.session();
    await holder.query('begin');
    await holder.query('select from ledger.accounts where id = $1 for update', [payee.accounts[0]]);
    const api = stage.apis.findIndex(({ version }) => version === 'old');
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const { answer } = await payments.pay(api, payer, payee);
      if (answer.status !== 202) throw new Error(`no payment: ${answer.status}`);
      ids.push(String(answer.body['id']));
    }
    return new StuckPayments(payments, payer, ids, holder);
  }

  /** How many have not ended. */
  async open(): Promise<number> {
    const statuses = await Promise.all(this.ids.map((id) => this.payments.statusOf(this.payer, id)));
    return statuses.filter((status) => status === 'pending').length;
  }

  /** Lets them go on. */
  async release(): Promise<void> {
    await this.holder.query('rollback');
    await this.holder.end();
  }

  /** Waits until all have ended. */
  ended(): Promise<void> {
    return eventually(async () => (await this.open()) === 0, ENDED_WITHIN_MS);
  }
}
