import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, SystemTx } from '@holdfast/database';
import { type RecordedEvent, type Report } from '@holdfast/events';
import {
  AddressPolicy,
  type Posting,
  type PostLimits,
  Postman,
  type ResolveHost,
  resolveByDns,
} from '@holdfast/outgoing';
import { DependencyAway, Policy } from '@holdfast/resilience';
import { type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { SecretKeyring } from '../secrets/secret-keyring';
import type { WebhookSettings } from '../webhook-settings';
import { countDueLanes, listWaitingTenants } from './claim.sql';
import { DeliveryWork, type HeldDelivery } from './delivery-work';
import type { Answer, Outcome } from './outcome';
import { hasRoom, roomFor } from './room';
import {
  attemptSeconds,
  attemptsTotal,
  deliverySeconds,
  dueLanes,
  dueTenants,
  lostAttemptsTotal,
  underWay,
} from './sender-metrics';
import { type Sendable, SIGNATURE_HEADER, signedPosting } from './signed-posting';

/** What a sender needs of its process. */
export interface WebhookSenderOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly settings: WebhookSettings;
  readonly report: Report;
  /** Tests take less time, and answer names themselves. */
  readonly limits?: Partial<PostLimits>;
  readonly resolve?: ResolveHost;
  readonly ca?: string;
}

/** The longest that a lost hint, another process's retry or a lease that has run out waits. */
const SWEEP_INTERVAL_MS = 1_000;
/** The backlog is counted as often as Prometheus looks, and no further than this. */
const COUNT_EVERY_SWEEPS = 15;
const COUNTED_MAX = 10_000;
/** Tenants of one look, and looks of one sweep: ten thousand that have something to send are gone through in a second. */
const TENANTS_PER_LOOK = 2_000;
const LOOKS_MAX = 5;
/** Claims under way at a time: each holds a connection for a few milliseconds. */
const CLAIMS = 3;
/** Tenants that wait for a claim; of more, the sweep finds the rest. */
const WAITING_MAX = 10_000;
/** Looks after a hint: the transaction that it is about commits a few milliseconds later, and a busy machine's later still. */
const HINT_DELAYS_MS = [5, 40, 250];
/** What a pod has to end in is 30 s, of which others need some as well. */
const STOP_PATIENCE_MS = 5_000;
const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * Sends what is due to webhooks. Any number of processes may: a lane is taken in a transaction, under a name, for as long as
 * an attempt can take, and what came of it is recorded under that name.
 *
 * A sender that is killed between the two loses its lease, and the delivery is sent again with the same `webhook-id`: at
 * least once. The endpoint's and the tenant's share of what is under way is counted in the database, over all processes.
 */
export class WebhookSender {
  private readonly work: DeliveryWork;
  private readonly postman: Postman;
  private readonly stopping = new AbortController();
  private readonly waiting = new Set<string>();
  private readonly claims = new Map<string, Promise<void>>();
  private readonly sending = new Map<Promise<void>, HeldDelivery>();
  private sweeping: Promise<void> = Promise.resolve();
  private sweptTo = NO_TENANT;
  private abandoned = false;
  private readonly policy = new Policy('webhooks');

  constructor(private readonly options: WebhookSenderOptions) {
    const { tenants, grants, settings, report, limits, resolve = resolveByDns(), ca } = options;
    this.work = new DeliveryWork(tenants, grants, new SecretKeyring(settings.keys), report);
    const policy = new AddressPolicy(settings.allowedNetworks);
    this.postman = new Postman({ policy, resolve, limits, ...(ca !== undefined && { ca }) });
  }

  /** Begins to look for what is due. */
  start(): void {
    this.sweeping = this.keepSweeping();
  }

  /**
   * Takes nothing more, and waits a few seconds for what is under way. What a receiver does not answer by then is left: its
   * lease runs out, and another sender sends it again.
   */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.sweeping;
    await Promise.all(this.claims.values());
    const settled = Promise.all(this.sending.keys());
    await Promise.race([settled, sleep(STOP_PATIENCE_MS, undefined, { ref: false })]);
    this.abandoned = true;
    await this.postman.close();
    await settled;
  }

  /** Says that the tenant's group has just put something into its lanes, in a transaction that commits about now. */
  hint(tenantId: string): void {
    for (const delay of HINT_DELAYS_MS) setTimeout(() => this.wake(tenantId), delay).unref();
  }

  /** Takes what of the tenant is due as soon as there is room. */
  wake(tenantId: string): void {
    if (this.stopping.signal.aborted || this.waiting.size >= WAITING_MAX) return;
    this.waiting.add(tenantId);
    this.pump();
  }

  /** Wakes the tenants that have something due, in the order of their ids from where the last sweep has ended. */
  async sweep(): Promise<void> {
    let found = 0;
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      const tenants = await this.options.relay.transaction(
        (connection) => new SystemTx(connection, 'read only'),
        (tx) => listWaitingTenants(tx, this.sweptTo, TENANTS_PER_LOOK),
      );
      const due = tenants.filter((tenant) => tenant.is_due);
      for (const { tenant_id: tenantId } of due) this.wake(tenantId);
      found += due.length;
      const isLast = tenants.length < TENANTS_PER_LOOK;
      this.sweptTo = isLast ? NO_TENANT : (tenants.at(-1)?.tenant_id ?? NO_TENANT);
      if (isLast) break;
    }
    dueTenants.set(found);
  }

  private async keepSweeping(): Promise<void> {
    const { signal } = this.stopping;
    for (let sweeps = 0; !signal.aborted; sweeps += 1) {
      try {
        await this.sweep();
        if (sweeps % COUNT_EVERY_SWEEPS === 0) dueLanes.set(await this.countDue());
      } catch (error) {
        this.options.report(error, 'looking for due webhooks');
      }
      await sleep(SWEEP_INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
    }
  }

  private countDue(): Promise<number> {
    return this.options.relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => countDueLanes(tx, COUNTED_MAX),
    );
  }

  /** A tenant that is being claimed for waits for the end of that: what is due by then is taken at once. */
  private pump(): void {
    for (const tenantId of this.waiting) {
      if (this.stopping.signal.aborted || this.claims.size >= CLAIMS) return;
      if (this.claims.has(tenantId) || !hasRoom(tenantId, this.sending)) continue;
      this.waiting.delete(tenantId);
      const claim = this.claim(tenantId).finally(() => {
        this.claims.delete(tenantId);
        this.pump();
      });
      this.claims.set(tenantId, claim);
    }
  }

  private async claim(tenantId: string): Promise<void> {
    const room = roomFor(tenantId, [...this.sending.values()], CLAIMS);
    try {
      const held = await this.work.claim(tenantId, room);
      for (const delivery of held) this.begin(delivery);
    } catch (error) {
      if (!(error instanceof TenantClosed))
        this.options.report(error, `taking deliveries of tenant ${tenantId}`);
    }
  }

  private begin(delivery: HeldDelivery): void {
    const sent: Promise<void> = this.deliver(delivery)
      .catch((error: unknown) => this.options.report(error, 'recording a delivery'))
      .finally(() => {
        this.sending.delete(sent);
        underWay.set(this.sending.size);
        this.wake(delivery.tenantId);
      });
    this.sending.set(sent, delivery);
    underWay.set(this.sending.size);
  }

  private async deliver(delivery: HeldDelivery): Promise<void> {
    const { claimed, signers } = delivery;
    const event: RecordedEvent | null = claimed.loggedId === null ? null : claimed;
    const { deliveryId: id, url, testBody } = claimed;
    const startedAt = new Date();
    const posting = this.written({ id, url, event, testBody }, signers);
    const answer = typeof posting === 'string' ? unsent(posting) : await this.post(posting);
    if (!answer) return this.work.putBack(delivery);
    if (this.abandoned && answer.status === null) return; // Cut off by us: it says nothing about the receiver.
    const headers = typeof posting === 'string' ? {} : posting.headers;
    const { [SIGNATURE_HEADER]: _signatures, ...requestHeaders } = headers;
    const isRecorded = await this.work.record(delivery, { startedAt, url, requestHeaders, answer });
    count(claimed, answer, isRecorded);
  }

  /**
   * Never rejects; undefined where a drill or a lack of places has kept it from being sent. Whether a receiver is left alone for a while
   * is written in the rows of its endpoint, for all processes.
   */
  private async post(posting: Posting): Promise<Answer | undefined> {
    let isBegun = false;
    try {
      return await this.policy.run(() => {
        isBegun = true;
        return this.postman.post(posting);
      });
    } catch (error) {
      if (!isBegun) return undefined;
      return unsent(error instanceof DependencyAway && error.reason === 'timeout' ? 'timeout' : 'failed');
    }
  }

  /** What is posted; or why nothing is: no secret to sign with, or an event that this process cannot read. */
  private written(
    sendable: Sendable,
    signers: HeldDelivery['signers'],
  ): Posting | 'no_secret' | 'unreadable' {
    if (signers.length === 0) return 'no_secret';
    try {
      return signedPosting(sendable, signers);
    } catch (error) {
      this.options.report(error, `writing delivery ${sendable.id}`);
      return 'unreadable';
    }
  }
}

/** What came of a delivery that did not leave. It is tried again as the schedule says, and stands in the log. */
function unsent(outcome: Outcome): Answer {
  const nothing = { status: null, responseHeaders: null, responseBody: null, retryAfterMs: undefined };
  return { outcome, latencyMs: 0, ...nothing };
}

function count(
  { attemptCount, loggedId, occurredAt }: HeldDelivery['claimed'],
  { outcome, latencyMs }: Answer,
  isRecorded: boolean,
): void {
  attemptsTotal.inc({ outcome });
  attemptSeconds.observe({ outcome }, latencyMs / 1_000);
  if (!isRecorded) lostAttemptsTotal.inc();
  if (outcome === 'delivered' && attemptCount === 0 && loggedId !== null)
    deliverySeconds.observe(Math.max(0, Date.now() - Date.parse(occurredAt)) / 1_000);
}
