import type { CommittedEvent, CommittedEvents } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import { receiptEntry } from './receipt';
import type { ReceiptKey } from './receipt-key';
import { ReceiptKeys, type ReceiptKeysOptions } from './receipt-keys';
import { ReceiptTurns } from './receipt-turns';

const receiptsTotal = counter({
  name: 'holdfast_audit_receipts_total',
  help: 'Answers whose request committed events, by whether they carry a receipt: signed, without a key, or failed.',
  labels: ['outcome'],
});

/**
 * Signs receipts for what requests have committed, in the name of this process. An answer that cannot have one goes without:
 * its commit has happened, and the client has to be told. Such answers are counted, and an alert looks at the count.
 */
export class Receipts {
  private readonly keys: ReceiptKeys;
  private turns: { readonly key: ReceiptKey; readonly signing: ReceiptTurns } | undefined;

  constructor(private readonly options: ReceiptKeysOptions) {
    this.keys = new ReceiptKeys(options);
  }

  /** Makes and registers the process's key; without the database it tries again every few seconds, behind the caller's back. */
  start(): Promise<void> {
    return this.keys.start();
  }

  /**
   * The value of a `Holdfast-Receipt` header: for each tenant in which the request committed events, mostly one, the base64
   * of a proof file, separated by commas. Undefined where there is nothing to give a receipt for, or no key to sign it with.
   */
  async headerFor(requestId: string, { byTenant }: CommittedEvents): Promise<string | undefined> {
    if (byTenant.size === 0) return undefined;
    const key = this.keys.current;
    if (!key) {
      receiptsTotal.inc({ outcome: 'no_key' });
      return undefined;
    }
    try {
      const signed = [...byTenant].map((one) => this.sign(key, requestId, one));
      const header = (await Promise.all(signed)).join(',');
      receiptsTotal.inc({ outcome: 'signed' });
      return header;
    } catch (error) {
      receiptsTotal.inc({ outcome: 'failed' });
      this.options.onFailure(error);
      return undefined;
    }
  }

  close(): void {
    this.keys.close();
  }

  private async sign(
    key: ReceiptKey,
    requestId: string,
    [tenantId, events]: readonly [string, readonly CommittedEvent[]],
  ): Promise<string> {
    if (this.turns?.key !== key) this.turns = { key, signing: new ReceiptTurns(key) };
    const entry = receiptEntry({ tenantId, requestId, keyId: key.id }, new Date(), events);
    return Buffer.from(await this.turns.signing.sign(entry)).toString('base64');
  }
}
