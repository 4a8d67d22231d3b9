import type { PolicySettings } from '@holdfast/config';
import { type Call, Policy } from '@holdfast/resilience';
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

/** How long the bank is waited for. */
export type BankCall = Pick<Call, 'signal' | 'deadline'>;

/** How a payment stands at the bank. `pending` is decided later; what is `accepted` is reserved, and then paid or cancelled; the others stay. */
const stateSchema = z.object({
  status: z.enum(['pending', 'accepted', 'paid', 'refused', 'cancelled']),
  receipt: z.string().max(200).optional(),
});
type BankState = z.output<typeof stateSchema>;

/** The bank does not know the key: it has answered. */
class BankKeyUnknown extends Error {
  override readonly name = 'BankKeyUnknown';
}

/** More than any answer of the contract has. */
const ANSWER_LENGTH_MAX = 10_000;

/** The bank answered something that the contract does not have; that says nothing about the payment. */
export class BankIncomprehensible extends Error {
  override readonly name = 'BankIncomprehensible';
}

/**
 * A partner bank, over HTTP:
 *
 * `PUT /v1/payments/{key}` reserves a payment, once for a key, and answers how it stands; `GET` asks for that, and is 404 of a key that is
 * unknown there; `POST …/{key}/pay` pays what is reserved; `POST …/{key}/cancel` gives back what is reserved, and keeps a call that comes
 * later from taking effect. Answers are `{"status": "pending"|"accepted"|"paid"|"refused"|"cancelled", "receipt"?}` with 200 or 202; 422
 * says that the request is refused. `X-Request-Timeout-Ms` tells the bank how long its answer is waited for.
 */
export class PartnerBank {
  private readonly policy: Policy;

  constructor(private readonly options: BankOptions) {
    const isFailure = (error: unknown): boolean =>
      !(error instanceof BankRefused || error instanceof BankKeyUnknown);
    this.policy = new Policy('partner_bank', { isFailure, settings: options.settings ?? {} });
  }

  /**
   * Has the bank reserve it. A call that was not heard is asked after, so that no answer that is lost costs another attempt. Throws
   * BankRefused where the key has no effect and will have none, BankUndecided where nothing is known yet, and whatever the policy throws.
   */
  async reserve({ key, ...body }: BankOrder, call: BankCall): Promise<void> {
    const { status } = await this.asked(key, call, () => this.ask('PUT', key, call, body));
    if (status !== 'accepted' && status !== 'paid') throw undone(status);
  }

  /** Has the bank pay what it has reserved; answers its receipt. Throws the same. */
  async pay(key: string, call: BankCall): Promise<string> {
    const { status, receipt } = await this.asked(key, call, () => this.ask('POST', `${key}/pay`, call));
    // A call that has not arrived leaves it reserved.
    if (status !== 'paid') throw status === 'accepted' ? new BankUndecided() : undone(status);
    return receipt ?? '';
  }

  /** Gives back what was reserved under the key, also where the call never arrived, or arrives later. Throws BankRefused where the bank will not. */
  async cancel(key: string, call: BankCall): Promise<void> {
    const { status } = await this.ask('POST', `${key}/cancel`, call);
    if (status === 'pending') throw new BankUndecided();
    // What the bank has refused has no effect either.
    if (status === 'accepted' || status === 'paid') throw new BankRefused('not_cancelled');
  }

  /** What was answered, or how the payment stands where no answer came; the failure, where the bank does not know of it or is away. */
  private async asked(key: string, call: BankCall, ask: () => Promise<BankState>): Promise<BankState> {
    try {
      return await ask();
    } catch (error) {
      const known = error instanceof BankRefused ? undefined : await this.find(key, call);
      if (!known) throw error;
      return known;
    }
  }

  private async find(key: string, call: BankCall): Promise<BankState | undefined> {
    try {
      return await this.ask('GET', key, call);
    } catch (error) {
      if (error instanceof BankRefused) throw error;
      return undefined;
    }
  }

  private ask(
    method: 'PUT' | 'GET' | 'POST',
    path: string,
    call: BankCall,
    body?: object,
  ): Promise<BankState> {
    const [key = ''] = path.split('/');
    const headers = {
      authorization: `Bearer ${this.options.secret}`,
      'idempotency-key': key,
      ...(body && { 'content-type': 'application/json' }),
    };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const read = async (response: Response): Promise<BankState> => {
      if (method === 'GET' && response.status === 404)
        throw new BankKeyUnknown('the bank has no such payment');
      return stateOf(response);
    };
    return this.policy.fetch(new URL(`/v1/payments/${path}`, this.options.url), init, read, call);
  }
}

async function stateOf(response: Response): Promise<BankState> {
  if (response.status === 422) throw new BankRefused('refused');
  if (response.status !== 200 && response.status !== 202)
    throw new BankIncomprehensible(`the bank answered ${response.status}`);
  const { data, success } = stateSchema.safeParse(parsed(await textOf(response)));
  if (!success) throw new BankIncomprehensible('the bank answered something else');
  return data;
}

function undone(status: BankState['status']): BankRefused | BankUndecided {
  if (status === 'pending') return new BankUndecided();
  return new BankRefused(status === 'cancelled' ? 'cancelled' : 'refused');
}

async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > ANSWER_LENGTH_MAX) throw new BankIncomprehensible('the bank answered too much');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
