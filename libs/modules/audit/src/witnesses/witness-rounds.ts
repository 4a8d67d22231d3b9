import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import type { PostLimits, ResolveHost } from '@holdfast/outgoing';
import { type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { LRUCache } from 'lru-cache';
import { countWaitingOffers, type DueOffer, listDueOffers } from './offers.sql';
import { witnessKey, type WitnessSettings } from './witness';
import { waitingSeconds } from './witness-metrics';
import { WitnessOffer } from './witness-offer';
import { WitnessPost } from './witness-post';

/** What rounds need of their process. */
export interface WitnessRoundsOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly settings: WitnessSettings;
  readonly report: Report;
  /** Tests take less time and smaller pages, and answer names themselves. */
  readonly limits?: Partial<PostLimits>;
  readonly resolve?: ResolveHost;
  readonly offerEverySeconds?: number;
  readonly dueMax?: number;
}

/** Between two looks: little beside the minute between two offers. */
const INTERVAL_MS = 2_000;
const DUE_MAX = 500;
/** Witnesses of tenants that a process asks at a time, and of one tenant; the configured ones have a place each besides. */
const TENANTS_PLACES = 16;
const PLACES_OF_TENANT = 2;
/** Erased tenants have heads for ever. They are passed over for an hour, after which one may be there again by an import. */
const CLOSED_MAX = 20_000;
const CLOSED_MS = 3_600_000;
/** A witness has its place for so long, and then others have theirs. */
const TURN_MS = 20_000;

/**
 * Offers the newest checkpoints of all tenants' logs to their witnesses. Any number of processes may: the lease in an offer's
 * row decides whose it is.
 *
 * Nobody waits for a witness: a configured one is asked for one tenant after the other and beside all others, one of a
 * tenant's own beside all others for this tenant alone, since another tenant may have written another address beside the
 * same key. A request ends by itself, and sealing knows nothing of any of it.
 */
export class WitnessRounds {
  private readonly stopping = new AbortController();
  private readonly offer: WitnessOffer;
  private readonly post: WitnessPost;
  private readonly configured: readonly string[];
  /** By witness, with its tenant where it is not configured. */
  private readonly busy = new Map<
    string,
    { readonly turn: Promise<void>; readonly tenantId: string | undefined }
  >();
  private readonly closed = new LRUCache<string, true>({ max: CLOSED_MAX, ttl: CLOSED_MS });
  private running: Promise<void> = Promise.resolve();

  /** Throws TlogError for a configured key that is none of a witness. */
  constructor(private readonly options: WitnessRoundsOptions) {
    const { tenants, grants, settings, limits, resolve, offerEverySeconds } = options;
    const { configured, allowedNetworks } = settings;
    for (const { verifierKey } of configured) witnessKey(verifierKey);
    this.configured = configured.map(({ verifierKey }) => verifierKey);
    this.post = new WitnessPost({ allowedNetworks, limits, resolve });
    this.offer = new WitnessOffer({ tenants, grants, configured, post: this.post, offerEverySeconds });
  }

  /** Begins to look for what is due. */
  start(): void {
    this.running = this.loop();
  }

  /** Begins nothing more, and waits for the requests under way, which end within seconds. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await Promise.all([...this.busy.values()].map(({ turn }) => turn));
    await this.post.close();
  }

  /** Gives each witness that something is due for a turn, and waits for those that this has begun. */
  async offerDue(): Promise<void> {
    await Promise.all(await this.begin());
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        void (await this.begin());
        await this.measure();
      } catch (error) {
        this.options.report(error, 'looking for checkpoints to offer');
      }
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
    }
  }

  private async begin(): Promise<Promise<void>[]> {
    const due = await this.options.relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listDueOffers(tx, this.configured, [...this.closed.keys()], this.options.dueMax ?? DUE_MAX),
    );
    const begun: Promise<void>[] = [];
    const placeOf = ({ tenantId, witness }: DueOffer): string =>
      this.configured.includes(witness) ? witness : `${tenantId} ${witness}`;
    for (const [place, offers] of Map.groupBy(due, placeOf)) {
      const tenantId = this.configured.includes(place) ? undefined : offers[0]?.tenantId;
      if (this.busy.has(place) || !this.hasRoom(tenantId)) continue;
      const turn = this.takeTurn(offers).finally(() => this.busy.delete(place));
      this.busy.set(place, { turn, tenantId });
      begun.push(turn);
    }
    return begun;
  }

  private hasRoom(tenantId: string | undefined): boolean {
    if (tenantId === undefined) return true;
    const taken = [...this.busy.values()].filter((each) => each.tenantId !== undefined);
    const own = taken.filter((each) => each.tenantId === tenantId);
    return taken.length < TENANTS_PLACES && own.length < PLACES_OF_TENANT;
  }

  /** Makes the offers to one witness. Never throws. */
  private async takeTurn(offers: readonly DueOffer[]): Promise<void> {
    const endsAtMs = Date.now() + TURN_MS;
    for (const due of offers) {
      if (this.stopping.signal.aborted || Date.now() > endsAtMs) return;
      try {
        await this.offer.make(due);
      } catch (error) {
        if (error instanceof TenantClosed) this.closed.set(due.tenantId, true);
        else this.options.report(error, 'offering a checkpoint to a witness');
      }
    }
  }

  private async measure(): Promise<void> {
    const waiting = await this.options.relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => countWaitingOffers(tx, this.configured),
    );
    for (const whose of ['configured', 'tenant'] as const) {
      const found = waiting.find((each) => each.is_configured === (whose === 'configured'));
      waitingSeconds.set({ whose }, found?.seconds ?? 0);
    }
  }
}
