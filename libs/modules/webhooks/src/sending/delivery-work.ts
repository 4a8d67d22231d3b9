import { type Caller, newId, planOf } from '@holdfast/kernel';
import type { Report } from '@holdfast/events';
import { announcement, callerOf, type Grants, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { disableWebhook } from '../endpoints/webhooks.sql';
import type { SecretKeyring } from '../secrets/secret-keyring';
import { webhookDisabled } from '../webhooks.events';
import { chooseLanes } from './claim';
import { type ClaimedDelivery, listSealedSecrets, lockDueLanes, takeLanes } from './claim.sql';
import type { Answer } from './outcome';
import {
  type AttemptRecord,
  insertAttempt,
  lockHeldLane,
  noteAttempt,
  noteFailure,
  noteSuccess,
  releaseLane,
} from './record.sql';
import { FAILING_MAX_MS, retryDelayMs } from './retry-schedule';
import { disabledTotal } from './sender-metrics';
import type { Signer } from './signed-posting';

/** A delivery in the hands of this process, with what it is signed by. */
export interface HeldDelivery {
  readonly tenantId: string;
  /** Names this claim: what another has taken meanwhile is not recorded. */
  readonly holder: string;
  readonly failing: boolean;
  readonly claimed: ClaimedDelivery;
  readonly signers: readonly Signer[];
}

/** Room for deliveries. */
export interface Room {
  readonly slots: number;
  readonly failingSlots: number;
}

/** The actor of what a sender does. */
const CONSUMER = 'webhooks';
/** Deliveries of one endpoint that are under way at a time, in all processes. */
export const PER_ENDPOINT = 5;
/** Twice as long as an attempt takes at most: a sender that has died is followed by another after this time. */
const LEASE_SECONDS = 30;
/** And up to twice as long: a drill may last for minutes, and each look costs a claim. */
const PUT_BACK_SECONDS = 2;

/** Takes what is due and records what came of it, each in a transaction of the tenant. */
export class DeliveryWork {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly grants: Grants,
    private readonly keyring: SecretKeyring,
    private readonly report: Report,
  ) {}

  /** Takes what of the tenant is due, as far as there is room and its plan goes. Throws TenantClosed. */
  async claim(tenantId: string, room: Room): Promise<HeldDelivery[]> {
    const caller = await this.caller(tenantId);
    const perTenant = planOf(caller.plan).quotas.concurrentDeliveries;
    const holder = newId();
    return this.tenants.transaction(caller, async (tx) => {
      const due = await lockDueLanes(tx, PER_ENDPOINT);
      const chosen = chooseLanes(due, { perEndpoint: PER_ENDPOINT, perTenant, ...room });
      const claimed = await takeLanes(tx, chosen, holder, LEASE_SECONDS);
      const signers = await this.signersOf(tx, claimed);
      const failing = new Set(due.filter((lane) => lane.failing).map((lane) => lane.endpoint_id));
      return claimed.map((each) => ({
        tenantId,
        holder,
        failing: failing.has(each.endpointId),
        claimed: each,
        signers: signers.get(each.endpointId) ?? [],
      }));
    });
  }

  /**
   * Writes down an attempt and what follows from it. False where the lane has gone to another holder meanwhile: then nothing
   * is written, and the delivery is sent again under the same id.
   */
  async record({ tenantId, holder, claimed }: HeldDelivery, attempt: AttemptRecord): Promise<boolean> {
    return this.tenants.transaction(await this.caller(tenantId), async (tx) => {
      if (!(await lockHeldLane(tx, claimed, holder))) return false;
      const number = claimed.attemptCount + 1;
      const state = stateAfter(claimed.step + 1, attempt.answer, Math.random());
      // In this order, and on their way together: the connection and the lane's lock are held for one round trip.
      await Promise.all([
        insertAttempt(tx, claimed.deliveryId, number, attempt),
        noteAttempt(tx, claimed.deliveryId, { attemptCount: number, ...state }),
        releaseLane(tx, claimed),
        this.judge(tx, claimed.endpointId, attempt.answer),
      ]);
      return true;
    });
  }

  /** Gives back what was not sent at all: it is due again in some seconds, and has as many attempts left as before. */
  async putBack({ tenantId, holder, claimed }: HeldDelivery): Promise<void> {
    const { deliveryId, attemptCount, step } = claimed;
    const waitSeconds = PUT_BACK_SECONDS * (1 + Math.random());
    await this.tenants.transaction(await this.caller(tenantId), async (tx) => {
      if (!(await lockHeldLane(tx, claimed, holder))) return;
      await noteAttempt(tx, deliveryId, { attemptCount, step, status: 'pending', waitSeconds });
      await releaseLane(tx, claimed);
    });
  }

  /** The caller that this process is in the tenant. */
  async caller(tenantId: string): Promise<Caller> {
    return callerOf(await this.grants.forSystem(CONSUMER, tenantId), { requestId: newId() });
  }

  /** Notes how the endpoint does, and switches off one that is gone or has done nothing but fail for days. */
  private async judge(tx: TenantTx, endpointId: string, { outcome }: Answer): Promise<void> {
    if (outcome === 'delivered') return noteSuccess(tx, endpointId);
    const failingMs = await noteFailure(tx, endpointId);
    const reason = outcome === 'gone' ? 'gone' : failingMs >= FAILING_MAX_MS ? 'failing' : undefined;
    if (!reason) return;
    const version = await disableWebhook(tx, endpointId, reason);
    if (version === undefined) return;
    await tx.announce(announcement(webhookDisabled, { id: endpointId, version }, { reason }));
    disabledTotal.inc({ reason });
  }

  private async signersOf(
    tx: TenantTx,
    claimed: readonly ClaimedDelivery[],
  ): Promise<Map<string, readonly Signer[]>> {
    if (claimed.length === 0) return new Map();
    const rows = await listSealedSecrets(tx, [...new Set(claimed.map((each) => each.endpointId))]);
    const opened = rows.flatMap(({ endpointId, scheme, id, ...sealed }) => {
      try {
        return [{ endpointId, scheme, bytes: this.keyring.open(sealed, tx.tenantId, id) }];
      } catch (error) {
        // Its key was taken away too early: other secrets and endpoints go on, and deliveries without any wait.
        this.report(error, 'opening secrets of webhooks');
        return [];
      }
    });
    return Map.groupBy(opened, (signer) => signer.endpointId);
  }
}

/** How a delivery stands after an attempt, which was the `step`th of its round. */
export function stateAfter(
  step: number,
  { outcome, retryAfterMs }: Pick<Answer, 'outcome' | 'retryAfterMs'>,
  share: number,
): {
  readonly step: number;
  readonly status: 'pending' | 'delivered' | 'failed';
  readonly waitSeconds?: number;
} {
  if (outcome === 'delivered') return { step, status: 'delivered' };
  const waitMs = outcome === 'gone' ? undefined : retryDelayMs(step, share, retryAfterMs);
  if (waitMs === undefined) return { step, status: 'failed' };
  return { step, status: 'pending', waitSeconds: waitMs / 1_000 };
}
