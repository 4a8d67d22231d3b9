import { AddressPolicy, Postman, type PostLimits, type ResolveHost, resolveByDns } from '@holdfast/outgoing';
import { DependencyAway, Policy } from '@holdfast/resilience';
import type { WitnessAnswer } from '@holdfast/tlog';

/** What the connections of a process are made with. Tests take less time, and answer names themselves. */
export interface WitnessPostOptions {
  readonly allowedNetworks: readonly string[];
  readonly limits?: Partial<PostLimits> | undefined;
  readonly resolve?: ResolveHost | undefined;
}

/** A request of a witness failed on its way, or was not sent; the outcome is one word. */
export class WitnessUnreachable extends Error {
  override readonly name = 'WitnessUnreachable';

  constructor(readonly outcome: string) {
    super(`the witness could not be asked: ${outcome}`);
  }
}

/** A witness answers from memory. What takes longer is away, and is asked again later. */
const TOTAL_MS = 5_000;
/** What an answer may have: c2sp.org/tlog-witness has lines of signatures, of some hundred bytes each. */
const ANSWER_BYTES_MAX = 100_000;
/** The operator's own witnesses may stand anywhere. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

/** Posts to witnesses: to those of tenants at public addresses only, and to a host that fails not at all for a while. */
export class WitnessPost {
  private readonly outwards: Postman;
  private readonly anywhere: Postman;
  private readonly witnesses = new Policy('witnesses');

  constructor({ allowedNetworks, limits = {}, resolve = resolveByDns() }: WitnessPostOptions) {
    const options = {
      resolve,
      limits: {
        totalMs: TOTAL_MS,
        readMaxBytes: ANSWER_BYTES_MAX,
        keptMaxBytes: ANSWER_BYTES_MAX,
        ...limits,
      },
    };
    this.outwards = new Postman({ ...options, policy: new AddressPolicy(allowedNetworks) });
    this.anywhere = new Postman({ ...options, policy: new AddressPolicy(ANYWHERE) });
  }

  /** The answer of a witness. Throws WitnessUnreachable. */
  async post(url: string, body: string, isConfigured: boolean): Promise<WitnessAnswer> {
    const postman = isConfigured ? this.anywhere : this.outwards;
    try {
      const work = async (): Promise<WitnessAnswer> => {
        const headers = { 'content-type': 'text/plain; charset=utf-8' };
        const { status, outcome, responseBody } = await postman.post({
          url,
          headers,
          body: Buffer.from(body),
        });
        if (status === null) throw new WitnessUnreachable(outcome);
        if (status >= 500) throw new WitnessUnreachable(`status_${status}`);
        return { status, body: responseBody ?? '' };
      };
      // By the whole address, and the operator's own apart: what a tenant makes up shuts nobody else off.
      return await this.witnesses.run(work, { host: `${isConfigured ? 'own' : 'tenants'} ${url}` });
    } catch (error) {
      throw error instanceof DependencyAway ? new WitnessUnreachable(error.reason) : error;
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.outwards.close(), this.anywhere.close()]);
  }
}
