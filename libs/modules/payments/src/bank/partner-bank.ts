import type { PolicySettings } from '@holdfast/config';
import { Policy } from '@holdfast/resilience';
import { z } from 'zod';
import { BankRefused, BankUndecided } from './bank.errors';

/** What the bank is asked to pay. */
export interface BankOrder {
  /** Under which the bank pays once, however often it is asked. */
  readonly key: string;
  readonly amount: string;
  readonly asset: string;
  readonly iban: string;
}

/** Where the bank is, and how it knows us. */
export interface BankOptions {
  readonly url: string;
  readonly secret: string;
  /** Tests have less patience. */
  readonly settings?: Partial<PolicySettings>;
}

/** How a payment stands at the bank. `pending` is decided later; the other three stay as they are, but that `accepted` can be cancelled. */
const stateSchema = z.object({
  status: z.enum(['pending', 'accepted', 'refused', 'cancelled']),
  receipt: z.string().max(200).optional(),
});
type BankState = z.output<typeof stateSchema>;

/** More than any answer of the contract has. */
const ANSWER_LENGTH_MAX = 10_000;

/** The bank answered something that the contract does not have; that says nothing about the payment. */
export class BankIncomprehensible extends Error {
  override readonly name = 'BankIncomprehensible';
}

/**
 * A partner bank, over HTTP:
 *
 * `PUT /v1/payments/{key}` pays, once for a key, and answers how the payment stands; `GET` asks for that, and is 404 of a key that is unknown
 * there; `POST /v1/payments/{key}/cancel` takes it back, and keeps a call that comes later from taking effect. Answers are
 * `{"status": "pending"|"accepted"|"refused"|"cancelled", "receipt"?}` with 200 or 202; 422 says that the request itself is refused.
 */
export class PartnerBank {
  private readonly policy: Policy;

  constructor(private readonly options: BankOptions) {
    const isFailure = (error: unknown): boolean => !(error instanceof BankRefused);
    this.policy = new Policy('partner_bank', { isFailure, settings: options.settings ?? {} });
  }

  /**
   * The bank's receipt. A call that was not heard is asked after, so that no answer that is lost costs a second attempt. Throws BankRefused
   * where the key has no effect and will have none, BankUndecided where nothing is known yet, and whatever the policy throws.
   */
  async pay(order: BankOrder, signal: AbortSignal): Promise<string> {
    const { key, ...body } = order;
    const asked = await this.ask('PUT', key, signal, body).catch((error: unknown) =>
      this.found(key, signal, error),
    );
    if (asked.status === 'pending') throw new BankUndecided();
    if (asked.status !== 'accepted') throw new BankRefused(asked.status);
    return asked.receipt ?? '';
  }

  /** Takes back what was called under the key, also where it never arrived, or arrives later. Throws BankRefused where the bank will not. */
  async cancel(key: string, signal: AbortSignal): Promise<void> {
    const { status } = await this.ask('POST', `${key}/cancel`, signal);
    if (status === 'pending') throw new BankUndecided();
    // What the bank has refused has no effect either.
    if (status === 'accepted') throw new BankRefused('not_cancelled');
  }

  /** How a payment stands whose call has failed; the failure, where the bank does not know of it or does not answer either. */
  private async found(key: string, signal: AbortSignal, failure: unknown): Promise<BankState> {
    if (failure instanceof BankRefused) throw failure;
    const known = await this.ask('GET', key, signal).catch(() => undefined);
    if (!known) throw failure;
    return known;
  }

  private ask(
    method: 'PUT' | 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    body?: object,
  ): Promise<BankState> {
    const key = path.replace('/cancel', '');
    const headers = {
      authorization: `Bearer ${this.options.secret}`,
      'idempotency-key': key,
      ...(body && { 'content-type': 'application/json' }),
    };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    return this.policy.fetch(new URL(`/v1/payments/${path}`, this.options.url), init, stateOf, { signal });
  }
}

async function stateOf(response: Response): Promise<BankState> {
  if (response.status === 422) throw new BankRefused('refused');
  if (response.status !== 200 && response.status !== 202)
    throw new BankIncomprehensible(`the bank answered ${response.status}`);
  const text = await response.text();
  if (text.length > ANSWER_LENGTH_MAX) throw new BankIncomprehensible('the bank answered too much');
  const { data, success } = stateSchema.safeParse(parsed(text));
  if (!success) throw new BankIncomprehensible('the bank answered something else');
  return data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
