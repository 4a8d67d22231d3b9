import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { type Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { callerOf, type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { SecretKeyring } from '../secrets/secret-keyring';
import type { WebhookSettings } from '../webhook-settings';
import { cancelDeadDeliveries, deleteDead, listTenantsWithWebhooks, resealSecrets } from './housekeeping.sql';

/** What a housekeeper needs of its process. */
export interface WebhookHousekeeperOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly settings: Pick<WebhookSettings, 'keys'>;
  readonly report: Report;
}

/** A thousand tenants are looked after in four minutes, and cost a few statements a second. */
const INTERVAL_MS = 5_000;
const TENANTS_PER_TURN = 20;
/** Pages for one tenant in one turn: a large removal goes on at the next. */
const PAGES_MAX = 20;
const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * Cancels what waits for endpoints that are off, deletes what is kept no longer, a page at a time, and seals secrets anew whose
 * key is no longer the first.
 */
export class WebhookHousekeeper {
  private readonly keyring: SecretKeyring;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private doneTo = NO_TENANT;

  constructor(private readonly options: WebhookHousekeeperOptions) {
    this.keyring = new SecretKeyring(options.settings.keys);
  }

  /** Begins to go round. */
  start(): void {
    this.running = this.loop();
  }

  /** Ends after the page under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Looks after the next few tenants. */
  async turn(): Promise<void> {
    const tenants = await this.options.relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listTenantsWithWebhooks(tx, this.doneTo, TENANTS_PER_TURN),
    );
    for (const tenantId of tenants) if (!this.stopping.signal.aborted) await this.lookAfter(tenantId);
    this.doneTo = tenants.length < TENANTS_PER_TURN ? NO_TENANT : (tenants.at(-1) ?? NO_TENANT);
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
      if (signal.aborted) return;
      await this.turn().catch((error: unknown) => this.options.report(error, 'looking after webhooks'));
    }
  }

  private async lookAfter(tenantId: string): Promise<void> {
    const { grants, tenants, report } = this.options;
    try {
      const caller = callerOf(await grants.forSystem('webhooks', tenantId), { requestId: newId() });
      for (let pages = 0; pages < PAGES_MAX && !this.stopping.signal.aborted; pages += 1) {
        const done = await tenants.transaction(
          caller,
          async (tx) => (await cancelDeadDeliveries(tx)) + (await deleteDead(tx)),
        );
        if (done === 0) break;
      }
      await tenants.transaction(caller, (tx) => resealSecrets(tx, this.keyring));
    } catch (error) {
      if (!(error instanceof TenantClosed)) report(error, `looking after webhooks of tenant ${tenantId}`);
    }
  }
}
