import { Database, SystemTx } from '@holdfast/database';
import { listStoresBehind } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import {
  deleteOtherTasks,
  deleteTask,
  type Outcome,
  type TaskKindOfWork,
  type TaskRun,
} from '@holdfast/tasks';
import { stateAfter } from '../tenant-state';
import { lockTenant, setState } from '../tenants.sql';
import { countRows, erasePage, noteErasurePostponed, storeReceipt } from './erasure.sql';
import type { ReceiptSigner } from './receipt-signer';

/** A store outside PostgreSQL that holds rows of tenants. */
export interface ErasableStore {
  /** Of its consumer group, which has to have been handed everything before anything is deleted. */
  readonly name: string;
  countRows(tenantId: string): Promise<bigint>;
  /** Removes everything of the tenant; done again, it finds nothing. */
  eraseTenant(tenantId: string): Promise<void>;
}

/** A store that gets events and cannot remove those of one tenant: a broker. */
export interface KeepingStore {
  /** Of its consumer group, which has to have been handed everything: what it was half handed would be cut anew otherwise. */
  readonly name: string;
  /** What it keeps and until when, in words for the receipt. */
  readonly keeps: string;
}

/** Why a tenant cannot be erased now, in words for the operator, or undefined. */
export type ErasureBlocker = (tx: TenantTx) => Promise<string | undefined>;

/** What an erasure needs of its process. */
export interface ErasureOptions {
  readonly relay: Database;
  readonly stores: readonly ErasableStore[];
  /** Absent: none. */
  readonly keepers?: readonly KeepingStore[];
  readonly blockers: readonly ErasureBlocker[];
  /** Removes what waits in queues and names the tenant. */
  readonly forget: (tenantId: string) => Promise<void>;
  /** Absent: nothing is erased, because there would be no receipt. */
  readonly signer: ReceiptSigner | undefined;
  /** How long after the last grant was given somebody may still work in the tenant. */
  readonly quietSeconds?: number;
  /** Called before each step: where a test stops the process. */
  readonly onStep?: (step: string) => Promise<void>;
}

/** How far an erasure is. Each step may be done again. */
export interface ErasureProgress {
  readonly step?: 'quiet' | 'stores' | 'rows' | 'finish';
  readonly requestedAt?: string;
  readonly tables?: Readonly<Record<string, number>>;
  readonly stores?: Readonly<Record<string, string>>;
}

/**
 * Processes use a cached grant for 5 s after a revocation they could not see, and a transaction of holdfast_app lives for
 * 30 s: PostgreSQL ends it, by the transaction_timeout that the first migration sets.
 */
const QUIET_SECONDS = 40;
/** Stores are mostly behind by milliseconds; one that is away is looked after every now and then. */
const BEHIND_SECONDS = 2;
const BLOCKED_SECONDS = 3_600;
/** Deleted in a few hundred milliseconds. */
const ROWS_PER_PAGE = 5_000;

/** Where the row of the erasure itself is. */
const TASKS = 'tenants.tasks';

const NO_SIGNER = 'the worker has no RECEIPT_KEY_PRIVATE to sign the receipt with';

/**
 * Erases tenants whose time of grace is over: waits until nobody can be at work in the tenant and every store has what it
 * will ever get of it, deletes the stores' rows and then PostgreSQL's, looks through all tables, and signs a receipt. What
 * was deleted is counted in the transaction that deletes it. Whatever is killed at whatever moment, the next worker goes on.
 */
export class ErasureTask implements TaskKindOfWork<ErasureProgress> {
  readonly kind = 'erasure';
  readonly consumer = 'eraser';

  constructor(private readonly options: ErasureOptions) {}

  async step(run: TaskRun<ErasureProgress>): Promise<void> {
    const { step = 'begin' } = run.progress;
    await this.options.onStep?.(step);
    if (step === 'begin') await run.commit((tx) => this.begin(tx));
    else if (step === 'quiet') await this.settle(run);
    else if (step === 'stores') await this.eraseStores(run);
    else if (step === 'rows') await run.commit((tx, progress) => this.eraseRows(tx, progress));
    else await this.finish(run);
  }

  private async begin(tx: TenantTx): Promise<Outcome<ErasureProgress>> {
    const { signer, quietSeconds = QUIET_SECONDS } = this.options;
    const tenant = await lockTenant(tx);
    const state = stateAfter('beginErasing', tenant.state);
    const reason = signer ? await this.blocked(tx) : NO_SIGNER;
    if (reason !== undefined) return postponed(tx, reason);
    // Nobody is given a grant to work on them any more.
    await deleteOtherTasks(tx, this.kind);
    await setState(tx, state);
    const requestedAt = (tenant.erase_requested_at ?? new Date()).toISOString();
    return { progress: { step: 'quiet', requestedAt }, waitSeconds: quietSeconds };
  }

  /** Goes on when every store has been handed all there is, unless something was begun in the tenant meanwhile. */
  private async settle(run: TaskRun<ErasureProgress>): Promise<void> {
    const { relay, stores, keepers = [] } = this.options;
    const names = [...stores, ...keepers].map(({ name }) => name);
    const behind = await relay.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listStoresBehind(tx, run.tenantId, names),
    );
    const counts: Record<string, string> = {};
    for (const store of stores) counts[store.name] = (await store.countRows(run.tenantId)).toString();
    await run.commit(async (tx, progress) => {
      if (behind.length > 0) {
        await noteErasurePostponed(tx, `events are on their way to ${behind.join(', ')}`);
        return { progress, waitSeconds: BEHIND_SECONDS };
      }
      const reason = await this.blocked(tx);
      if (reason === undefined) return { progress: { ...progress, step: 'stores', stores: counts } };
      await setState(tx, stateAfter('postponeErasing', 'erasing'));
      return postponed(tx, reason);
    });
  }

  private async eraseStores(run: TaskRun<ErasureProgress>): Promise<void> {
    const { stores } = this.options;
    for (const store of stores) {
      await store.eraseTenant(run.tenantId);
      const left = await store.countRows(run.tenantId);
      if (left > 0n) throw new RowsLeft(`${store.name} still has ${left} rows of the tenant`);
    }
    await run.commit(async (_tx, progress) => ({ progress: { ...progress, step: 'rows' } }));
  }

  private async eraseRows(tx: TenantTx, progress: ErasureProgress): Promise<Outcome<ErasureProgress>> {
    const page = await erasePage(tx, ROWS_PER_PAGE);
    if (!page) return { progress: { ...progress, step: 'finish' } };
    const { tables = {} } = progress;
    const rows = (tables[page.relation] ?? 0) + Number(page.rowCount);
    return { progress: { ...progress, tables: { ...tables, [page.relation]: rows } } };
  }

  /** The last row, the task itself, goes with the receipt that replaces it. */
  private async finish(run: TaskRun<ErasureProgress>): Promise<void> {
    const { signer, forget, stores, keepers = [] } = this.options;
    if (!signer) throw new Error(NO_SIGNER);
    await forget(run.tenantId);
    for (const store of stores) {
      if ((await store.countRows(run.tenantId)) === 0n) continue;
      // Telemetry that was spilled while its store was away, by an ingest that has not heard of the erasure.
      return run.commit(async (_tx, progress) => ({
        progress: { ...progress, step: 'stores' },
        waitSeconds: BEHIND_SECONDS,
      }));
    }
    await run.commit(async (tx, progress) => {
      const { requestedAt = '', tables = {}, stores: storeRows = {} } = progress;
      const counted = await countRows(tx);
      // What was under way when the erasure began may have left rows behind the last page: the sealer, a checkpoint.
      if (counted.some(({ relation, rowCount }) => rowCount > (relation === TASKS ? 1n : 0n)))
        return { progress: { ...progress, step: 'rows' }, waitSeconds: BEHIND_SECONDS };
      await deleteTask(tx, this.kind, run.id);
      const receipt = await signer.sign({
        tenantId: tx.tenantId,
        requestedAt,
        erasedAt: new Date().toISOString(),
        tables,
        events: tables['events.log'] ?? 0,
        stores: storeRows,
        ...(keepers.length > 0 && {
          kept: Object.fromEntries(keepers.map(({ name, keeps }) => [name, keeps])),
        }),
        check: { tables: counted.length, rowsLeft: 0 },
      });
      await storeReceipt(tx, receipt, signer.verifiedBy);
      await setState(tx, stateAfter('finishErasing', 'erasing'));
      return { done: true };
    });
  }

  private async blocked(tx: TenantTx): Promise<string | undefined> {
    for (const find of this.options.blockers) {
      const reason = await find(tx);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }
}

/** Something of the tenant is there that should not be. The erasure is tried again, and says so until it works. */
export class RowsLeft extends Error {
  override readonly name = 'RowsLeft';
}

async function postponed(tx: TenantTx, reason: string): Promise<Outcome<ErasureProgress>> {
  await noteErasurePostponed(tx, reason);
  return { progress: {}, waitSeconds: BLOCKED_SECONDS };
}
