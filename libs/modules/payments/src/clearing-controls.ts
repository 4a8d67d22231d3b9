import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, SystemTx } from '@holdfast/database';
import { type Grants, TenantClosed } from '@holdfast/tenancy';
import { type ClearingBreak, countInFlight, listClearingBreaks } from './clearing.sql';
import { OWNER } from './payment-legs';
import { clearingBreaks, paymentsInFlight } from './payments-metrics';

/** What the controls need of their process. */
export interface ClearingControlsOptions {
  readonly relay: Database;
  readonly grants: Grants;
  readonly report: (error: unknown, doing: string) => void;
}

/** Between two looks, the first of them after as long. */
const INTERVAL_MS = 60_000;
/** Read at a time. */
const PAGE = 1_000;
/** Found in one round: with more, nobody mends them one by one. */
const BREAKS_MAX = 1_000;

/** The clearing accounts of two tenants do not add up. Goes to the log. */
export class ClearingBroken extends Error {
  override readonly name = 'ClearingBroken';

  constructor({ tenantId, counterpartyId, asset, sum, inFlight }: ClearingBreak) {
    super(
      `tenants ${tenantId} and ${counterpartyId}, ${asset}: their clearing accounts add up to ${sum}, in flight is ${inFlight}`,
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
  let page: readonly ClearingBreak[];
  let last: ClearingBreak | undefined;
  do {
    page = await relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listClearingBreaks(tx, last, pageSize),
    );
    for (const each of page) if (await isBroken(each)) breaks.push(each);
    last = page.at(-1);
  } while (page.length === pageSize && breaks.length < BREAKS_MAX);
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

/** Adds up the clearing accounts of all pairs of tenants every minute. Any number of processes may: it only looks. */
export class ClearingControls {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: ClearingControlsOptions) {}

  /** Begins to look. */
  start(): void {
    this.running = this.loop();
  }

  /** Ends behind the look under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Looks once, and answers what does not add up. */
  async look(): Promise<readonly ClearingBreak[]> {
    const breaks = await findClearingBreaks(this.options);
    clearingBreaks.set(breaks.length);
    paymentsInFlight.set(
      await this.options.relay.transaction(
        (connection) => new SystemTx(connection, 'read only'),
        countInFlight,
      ),
    );
    for (const each of breaks) this.options.report(new ClearingBroken(each), 'adding up clearing accounts');
    return breaks;
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
      if (signal.aborted) return;
      await this.look().catch((error: unknown) => this.options.report(error, 'adding up clearing accounts'));
    }
  }
}
