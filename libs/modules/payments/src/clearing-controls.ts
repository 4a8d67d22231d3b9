import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { type Database, SystemTx } from '@holdfast/database';
import { callerOf, type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import {
  type AccountBreak,
  type ClearingBreak,
  type ClearingPair,
  countInFlight,
  listAccountBreaks,
  listClearingTenants,
  lookAtClearings,
} from './clearing.sql';
import { OWNER } from './payment-legs';
import { clearingAccountBreaks, clearingBreaks, clearingLooked, paymentsInFlight } from './payments-metrics';

/** What the controls need of their process. */
export interface ClearingControlsOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly report: (error: unknown, doing: string) => void;
}

/** Between two looks, the first of them after as long. */
const INTERVAL_MS = 60_000;
/** Pairs that are looked at by one statement, which takes some 20 ms. */
const PAGE = 1_000;
/** Found in one round: with more, nobody mends them one by one. */
const BREAKS_MAX = 1_000;

/** Whose accounts are looked at in one round; of more, the next one goes on behind the last. */
const TENANTS_PER_LOOK = 500;
const NO_TENANT = '00000000-0000-0000-0000-000000000000';
const DOING = 'adding up clearing accounts';

/** The clearing accounts of two tenants do not add up. Goes to the log. */
export class ClearingBroken extends Error {
  override readonly name = 'ClearingBroken';

  constructor({ tenantId, counterpartyId, asset, sum, inFlight }: ClearingBreak) {
    super(
      `tenants ${tenantId} and ${counterpartyId}, ${asset}: their clearing accounts add up to ${sum}, in flight is ${inFlight}`,
    );
  }
}

/** A clearing account has something else posted than payments have booked. Goes to the log. */
export class ClearingAccountBroken extends Error {
  override readonly name = 'ClearingAccountBroken';

  constructor(tenantId: string, { accountId, asset, net, posted }: AccountBreak) {
    super(
      `tenant ${tenantId}, clearing account ${accountId}, ${asset}: payments have booked ${net}, posted is ${posted}`,
    );
  }
}

/**
 * Pairs of clearing accounts that do not add up to what is in flight between their tenants, each as of one instant. Where one of them is
 * gone, what it owed or was owed is gone with it, and its counterpart alone breaks nothing, however many of those there are.
 */
export async function findClearingBreaks(
  { relay, grants }: Pick<ClearingControlsOptions, 'relay' | 'grants'>,
  pageSize = PAGE,
): Promise<readonly ClearingBreak[]> {
  const breaks: ClearingBreak[] = [];
  const known = new Map<string, boolean>();
  const isBroken = async ({ hasCounterpart, counterpartyId: id }: ClearingBreak): Promise<boolean> => {
    if (!hasCounterpart && !known.has(id)) known.set(id, await isThere(grants, id));
    return hasCounterpart || known.get(id) === true;
  };
  let last: ClearingPair | undefined;
  do {
    const page = await relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => lookAtClearings(tx, last, pageSize),
    );
    for (const each of page.breaks) if (await isBroken(each)) breaks.push(each);
    ({ last } = page);
  } while (last !== undefined && breaks.length < BREAKS_MAX);
  return breaks;
}

async function isThere(grants: Grants, tenantId: string): Promise<boolean> {
  try {
    await grants.forSystem(OWNER, tenantId);
    return true;
  } catch (error) {
    if (error instanceof TenantClosed) return false;
    throw error;
  }
}

/**
 * Adds up the clearing accounts of all pairs of tenants every minute, and holds those of 500 tenants at a time against what payments
 * have booked on them. Any number of processes may: it only looks.
 */
export class ClearingControls {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private lookedTo = NO_TENANT;
  /** How many accounts of a tenant are broken, where any is. */
  private readonly broken = new Map<string, number>();

  constructor(private readonly options: ClearingControlsOptions) {}

  /** Begins to look. */
  start(): void {
    clearingLooked();
    this.running = this.loop();
  }

  /** Ends behind the look under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Looks once, and answers which pairs do not add up. */
  async look(): Promise<readonly ClearingBreak[]> {
    const { report } = this.options;
    const breaks = await findClearingBreaks(this.options);
    clearingBreaks.set(breaks.length);
    for (const each of breaks) report(new ClearingBroken(each), DOING);
    paymentsInFlight.set(await this.system(countInFlight));
    await this.lookAtAccounts();
    if (!this.stopping.signal.aborted) clearingLooked();
    return breaks;
  }

  /** What is broken is looked at each time, until it is mended or its tenant is gone. */
  private async lookAtAccounts(): Promise<void> {
    const next = await this.system((tx) => listClearingTenants(tx, this.lookedTo, TENANTS_PER_LOOK));
    this.lookedTo = (next.length === TENANTS_PER_LOOK && next.at(-1)) || NO_TENANT;
    for (const tenantId of new Set([...this.broken.keys(), ...next])) {
      if (this.stopping.signal.aborted) return;
      const breaks = await this.accountBreaksOf(tenantId);
      for (const each of breaks) this.options.report(new ClearingAccountBroken(tenantId, each), DOING);
      if (breaks.length > 0) this.broken.set(tenantId, breaks.length);
      else this.broken.delete(tenantId);
    }
    clearingAccountBreaks.set([...this.broken.values()].reduce((sum, count) => sum + count, 0));
  }

  private async accountBreaksOf(tenantId: string): Promise<readonly AccountBreak[]> {
    const { grants, tenants } = this.options;
    try {
      const caller = callerOf(await grants.forSystem(OWNER, tenantId), { requestId: newId() });
      return await tenants.reading(caller, (tx) => listAccountBreaks(tx, BREAKS_MAX));
    } catch (error) {
      if (error instanceof TenantClosed) return [];
      throw error;
    }
  }

  private system<T>(work: (tx: SystemTx) => Promise<T>): Promise<T> {
    return this.options.relay.transaction((connection) => new SystemTx(connection, 'read only'), work);
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
      if (signal.aborted) return;
      await this.look().catch((error: unknown) => this.options.report(error, DOING));
    }
  }
}
