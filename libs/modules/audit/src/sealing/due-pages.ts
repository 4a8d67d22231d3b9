import type { Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { LogRefused, type Refusals } from './refusals';
import { type SealedLineage, sealing } from './sealer-lease.sql';
import { isAboutRows } from './sealing-failures';
import { lookAtLog, type SealingLook } from './sealing-look.sql';
import { readPages, type TenantPage } from './sealing-round';
import type { SignerMemory } from './signer-memory';
import type { StandbyRule } from './standby-rule';
import { type DueTenant, hasResting, listDueTenants } from './trees.sql';

/** What a round has read. */
export interface TermPages {
  readonly look: SealingLook;
  readonly pages: readonly TenantPage[];
  readonly isMore: boolean;
}

/** What this part of a term is given. */
export interface DuePagesOptions {
  readonly database: Database;
  readonly report: Report;
  readonly restMs: number;
  readonly standbys: StandbyRule;
  readonly lineage: SealedLineage;
  readonly memory: SignerMemory;
  readonly refusals: Refusals;
  /** Renews the lease in time: reading apart takes as many statements as there are tenants. */
  readonly stayHolder: () => Promise<void>;
}

const TENANTS_PER_ROUND = 200;
/** Rows of a page that is read apart. */
const HEAVY_ROWS = 256;
/** Erased tenants that are remembered as such: 50 bytes each. */
const VACANT_MAX = 10_000;

/** Finds who is due, and reads what a round seals of each. */
export class DuePages {
  /** The newest tick when nobody was due any more, or will be behind a rest. */
  private settledTick: bigint | undefined;
  /** Tenants without an event or a tree, by their newest tick. */
  private readonly vacant = new Map<string, bigint>();
  /** Tenants whose pages could not be read in time: a row at a time. */
  private readonly heavy = new Set<string>();
  /** Of these who could not be read even so, the last time. */
  private readonly failed = new Set<string>();
  /** Every other round while there are some. */
  private isApart = false;

  constructor(private readonly options: DuePagesOptions) {}

  /** Has the next read list who is due, whatever the last one found. */
  lookAgain(): void {
    this.settledTick = undefined;
  }

  /** Reads pages of tenants that are due. */
  async read(): Promise<TermPages> {
    this.isApart = this.heavy.size > 0 && !this.isApart;
    if (this.isApart) return this.readApart();
    try {
      return await this.readTogether();
    } catch (error) {
      if (!isAboutRows(error)) throw error;
      this.options.report(error, 'reading events of several tenants to seal');
      return this.readApart();
    }
  }

  private readTogether(): Promise<TermPages> {
    return this.reading(async (tx, look) => {
      if (look.tick === this.settledTick) return { look, pages: [], isMore: false };
      const due = await this.listDue(tx, [...this.options.refusals.tenantIds, ...this.heavy]);
      const isIdle = due.length === 0 && this.heavy.size === 0;
      if (isIdle && !(await hasResting(tx, this.options.refusals.tenantIds, this.options.lineage.epoch)))
        this.settledTick = look.tick;
      const pages = await readPages(tx, due, look);
      const isMore =
        due.length === TENANTS_PER_ROUND || pages.some(({ isCut }) => isCut) || this.heavy.size > 0;
      return { look, pages: pages.filter((page) => this.isSealable(page, look)), isMore };
    });
  }

  /**
   * Reads tenants one by one, so that rows which cannot be read in time keep nobody else's waiting: first a page, then a row of
   * each, and who cannot be read even so is left out. Those who needed it are read like this until they are through.
   */
  private async readApart(): Promise<TermPages> {
    const { look, due } = await this.reading(async (tx, seen) => ({
      look: seen,
      due: await this.listDue(tx, this.options.refusals.tenantIds),
    }));
    const pages: TenantPage[] = [];
    for (const tenant of due) {
      const page = await this.readAlone(tenant, look);
      if (page && this.isSealable(page, look)) pages.push(page);
      await this.options.stayHolder();
    }
    const ids = new Set(due.map(({ tenantId }) => tenantId));
    for (const tenantId of this.heavy) if (!ids.has(tenantId)) this.heavy.delete(tenantId);
    return { look, pages, isMore: pages.some(({ isCut }) => isCut) };
  }

  private async readAlone(tenant: DueTenant, look: SealingLook): Promise<TenantPage | undefined> {
    const { tenantId } = tenant;
    for (const rows of this.heavy.has(tenantId) ? [1] : [HEAVY_ROWS, 1]) {
      try {
        const [page] = await this.reading((tx) => readPages(tx, [tenant], look, rows));
        if (page?.isCut === false) this.heavy.delete(tenantId);
        this.failed.delete(tenantId);
        return page;
      } catch (error) {
        if (!isAboutRows(error)) throw error;
        await this.options.stayHolder();
        this.heavy.add(tenantId);
        if (rows === 1) this.refuseAtLast(tenantId, error);
      }
    }
    return undefined;
  }

  /** Leaves a tenant out of whom not a row could be read twice: once it may have been the server. */
  private refuseAtLast(tenantId: string, error: unknown): void {
    if (!this.failed.has(tenantId)) {
      this.failed.add(tenantId);
      return;
    }
    this.failed.delete(tenantId);
    this.heavy.delete(tenantId);
    this.options.refusals.refuse(tenantId, new LogRefused('unreadable', String(error)));
  }

  private listDue(tx: SystemTx, except: readonly string[]): Promise<DueTenant[]> {
    const { restMs, lineage } = this.options;
    const { vacant } = this;
    return listDueTenants(tx, { restMs, except, lineage: lineage.epoch, limit: TENANTS_PER_ROUND, vacant });
  }

  private reading<T>(work: (tx: SystemTx, look: SealingLook) => Promise<T>): Promise<T> {
    const { database, standbys } = this.options;
    return sealing(
      database,
      async (tx) => work(tx, await lookAtLog(tx, this.options.lineage, standbys)),
      'read only',
    );
  }

  /** Whether there is something to seal; refuses a tenant of whom more was signed than the database has. */
  private isSealable({ tenant: { tenantId, tree, headTick }, rows }: TenantPage, look: SealingLook): boolean {
    if (tree) return true;
    if (rows.length === 0) {
      // Erased: no event is there, and there is no tree to keep. An event of a tick behind the look is not read yet.
      if (this.vacant.size >= VACANT_MAX) this.vacant.clear();
      if (headTick <= look.tick) this.vacant.set(tenantId, headTick);
      return false;
    }
    const newest = this.options.memory.newest(tenantId);
    // After a restore the operator has begun another lineage, and the tenant another epoch.
    if (newest?.lineage !== this.options.lineage.name) return true;
    const what = `epoch ${newest.epoch} was signed already, and the database has no tree`;
    this.options.refusals.refuse(tenantId, new LogRefused('behind', what));
    return false;
  }
}
