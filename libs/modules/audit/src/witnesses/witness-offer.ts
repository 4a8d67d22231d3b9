import { type Caller, fullJitterMs, newId } from '@holdfast/kernel';
import { callerOf, type Grants, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import {
  consistencyProof,
  formatSignature,
  offerCheckpoint,
  type OfferOutcome,
  TlogError,
  type VerifiedSignature,
  type VerifierKey,
} from '@holdfast/tlog';
import { tilesOfEpoch } from '../log/tiles.sql';
import {
  claimOffer,
  type DueOffer,
  findOfferable,
  markOfferCosigned,
  markOfferFailed,
  type Offerable,
  postponeOffer,
  upsertCosignature,
} from './offers.sql';
import { witnessKey, type WitnessPlace } from './witness';
import { offersTotal } from './witness-metrics';
import { type WitnessPost, WitnessUnreachable } from './witness-post';
import { deleteOffer } from './witnesses.sql';

/** What offering needs of its process. */
export interface WitnessOfferOptions {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
  readonly configured: readonly WitnessPlace[];
  readonly post: WitnessPost;
  /** Tests wait for less. */
  readonly offerEverySeconds?: number | undefined;
}

/** Longer than an offer can take: three requests of five seconds, and proofs between them. */
const LEASE_SECONDS = 60;
/** A witness that is well is offered a tenant's checkpoint so often: proofs under cosigned checkpoints are a minute old. */
const OFFER_EVERY_SECONDS = 60;
/** After a failure, in a row twice as long each time, up to an hour; a random time of it. */
const BACKOFF_MS = 10_000;
const BACKOFF_MAX_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Nothing is sealed: a sealer is away, or has only just got the event. */
const UNSEALED_SECONDS = 10;

/** An offer in the hands of this process. */
interface Held extends DueOffer {
  readonly holder: string;
  readonly failures: number;
}

/** A checkpoint that is there to be offered, and to whom. */
interface Offered {
  readonly epoch: number;
  readonly size: number;
  readonly note: string;
  readonly knownSize: bigint;
  readonly tick: bigint | null;
  readonly url: string;
  readonly key: VerifierKey;
  readonly isConfigured: boolean;
}

/**
 * Offers a tenant's newest checkpoint to one witness, and stores what it cosigns: taken and ended in transactions of the
 * tenant, and asked in between, while nothing is locked. Whatever the witness does ends as an outcome in the offer's row.
 */
export class WitnessOffer {
  constructor(private readonly options: WitnessOfferOptions) {}

  /** Answers what came of it; undefined where there was nothing to offer. Throws what the database does, and TenantClosed. */
  async make(due: DueOffer): Promise<string | undefined> {
    const { tenants } = this.options;
    const caller = await this.caller(due.tenantId);
    const holder = newId();
    const taken = await tenants.transaction(caller, async (tx) => {
      const failures = await claimOffer(tx, due.witness, holder, LEASE_SECONDS);
      if (failures === undefined) return undefined;
      const held = { ...due, holder, failures };
      const offered = await this.offered(tx, held, await findOfferable(tx, due.witness));
      return offered && { held, offered };
    });
    if (!taken) return undefined;
    const outcome = await this.offer(caller, taken.held, taken.offered);
    offersTotal.inc({ whose: taken.offered.isConfigured ? 'configured' : 'tenant', outcome });
    return outcome;
  }

  /** What there is to be offered; undefined where there is nothing, which is written down then. */
  private async offered(tx: TenantTx, held: Held, found: Offerable): Promise<Offered | undefined> {
    const { witness } = held;
    const configured = this.options.configured.find(({ verifierKey }) => verifierKey === witness);
    const url = configured?.url ?? found.url;
    if (url === null) {
      await deleteOffer(tx, witness);
      return undefined;
    }
    const { epoch, size, note, known_size: knownSize, tick } = found;
    if (epoch === null || size === null || note === null) {
      await postponeOffer(tx, held, UNSEALED_SECONDS);
      return undefined;
    }
    if (knownSize === size) {
      // All that is signed is cosigned; where leaves wait to be signed, somebody looks again.
      await markOfferCosigned(tx, held, tick, UNSEALED_SECONDS);
      return undefined;
    }
    const key = witnessKey(witness);
    return {
      epoch,
      size: Number(size),
      note,
      knownSize,
      tick,
      url,
      key,
      isConfigured: configured !== undefined,
    };
  }

  private async offer(caller: Caller, held: Held, offered: Offered): Promise<string> {
    const { tenants, offerEverySeconds = OFFER_EVERY_SECONDS } = this.options;
    const came = await this.asked(caller, offered);
    await tenants.transaction(await this.caller(held.tenantId), async (tx) => {
      if (typeof came !== 'string') {
        const { epoch, size, note, tick } = offered;
        const signatures = came.map(formatSignature).join('');
        const cosignedAt = Math.max(...came.map((each) => Number(each.cosignedAt ?? 0n)));
        await upsertCosignature(tx, held.witness, { epoch, size, note, signatures, cosignedAt });
        await markOfferCosigned(tx, held, tick, offerEverySeconds);
      } else {
        const waitMs = fullJitterMs(held.failures + 1, BACKOFF_MS, BACKOFF_MAX_MS);
        await markOfferFailed(tx, held, came, waitMs / 1_000);
      }
    });
    return typeof came === 'string' ? came : 'cosigned';
  }

  /** The good cosignatures, or in a word why there are none. */
  private async asked(caller: Caller, offered: Offered): Promise<readonly VerifiedSignature[] | string> {
    const { tenants, post } = this.options;
    const { epoch, size, note, knownSize, url, key, isConfigured } = offered;
    try {
      const outcome = await offerCheckpoint(
        (address, body) => post.post(address, body, isConfigured),
        { url, keys: [key] },
        {
          checkpoint: note,
          knownSize,
          proofFrom: (oldSize) =>
            tenants.reading(caller, (tx) => consistencyProof(tilesOfEpoch(tx, epoch), oldSize, size)),
        },
      );
      if (outcome.outcome !== 'cosigned') return refusalOf(outcome);
      return outcome.signatures.every(isOfThisTime) ? outcome.signatures : 'wrong_time';
    } catch (error) {
      if (error instanceof WitnessUnreachable) return error.outcome;
      // What is no answer of the protocol, or a signature that is not good. A witness may say whatever it likes.
      if (error instanceof TlogError) return error.code;
      throw error;
    }
  }

  private async caller(tenantId: string): Promise<Caller> {
    return callerOf(await this.options.grants.forSystem('witnesses', tenantId), { requestId: newId() });
  }
}

/** Its own clock says when a witness has cosigned; what lies a day ahead is no clock. */
function isOfThisTime({ cosignedAt = 0n }: VerifiedSignature): boolean {
  return Number(cosignedAt) * 1_000 < Date.now() + DAY_MS;
}

function refusalOf(outcome: Exclude<OfferOutcome, { readonly outcome: 'cosigned' }>): string {
  return outcome.outcome === 'ahead' ? 'ahead' : `status_${outcome.status}`;
}
