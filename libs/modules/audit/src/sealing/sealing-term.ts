import type { Database } from '@holdfast/database';
import { at, type Report } from '@holdfast/events';
import { CheckpointSigner, type Unsigned } from './checkpoint-signer';
import { recordLogKeys } from './checkpoints.sql';
import { GrowingTree, NIL } from './growing-tree';
import type { LogKeys } from './log-keys';
import type { InstallationEntries } from './installation-log';
import { InstallationSealer } from './installation-sealer';
import { renewEpoch } from './new-epoch';
import { listStaleTrees } from './new-epoch.sql';
import { LogRefused, Refusals } from './refusals';
import { holdSealer, type SealedLineage, type SealerLease, sealing } from './sealer-lease.sql';
import { lookAtLog, type SealingLook } from './sealing-look.sql';
import { epochsTotal, roundSeconds, roundsTotal, sealedTotal } from './sealing-metrics';
import { begin, grow, type GrownTree, readPages, type TenantPage } from './sealing-round';
import { SignerMemory } from './signer-memory';
import type { StandbyRule } from './standby-rule';
import { TreeCache } from './tree-cache';
import { insertTrees, hasResting, listDueTenants, listTrees, treeName, writeChanges } from './trees.sql';

/** What a term needs of its sealer. */
export interface SealingTermOptions {
  readonly database: Database;
  readonly keys: LogKeys;
  /** Where the signer remembers what it has signed: AUDIT_SIGNER_DIRECTORY. */
  readonly directory: string;
  readonly report: Report;
  readonly warn: (message: string) => void;
  /** Outlives terms: it knows of a standby that has gone meanwhile. */
  readonly standbys: StandbyRule;
  /** A tenant that was sealed to the end rests so long, in milliseconds: a partial tile is not written anew for each event. */
  readonly restMs: number;
  /** The entries of the installation's own log; absent: it has none. */
  readonly installation?: InstallationEntries | undefined;
}

/** What a round did. */
export interface SealedRound {
  readonly eventCount: number;
  /** Whether another round finds something to do at once. */
  readonly isMore: boolean;
}

const TENANTS_PER_ROUND = 200;
/** Erased tenants that are remembered as such: 50 bytes each. */
const VACANT_MAX = 10_000;
const TREES_PER_SCAN = 1_000;
/** Epochs that begin in one round: each is a transaction of its own. */
const RENEWED_PER_ROUND = 20;
/** Between two looks for entries of the installation's own log, in milliseconds. */
const INSTALLATION_LOOK_MS = 1_000;

/**
 * What one holder of the lease does in one server process: everything that is kept in memory begins with it and ends with it,
 * so that nothing outlives a lease, a failover or a failure.
 */
export class SealingTerm {
  private readonly refusals: Refusals;
  private readonly signer: CheckpointSigner;
  private readonly cache: TreeCache;
  /** Behind which tenant the scan for unsigned trees goes on; undefined when it is through. */
  private scannedTo: string | undefined = NIL;
  /** The newest tick when nobody was due any more, or will be behind a rest. */
  private settledTick: bigint | undefined;
  /** Tenants without an event or a tree, by their newest tick. */
  private readonly vacant = new Map<string, bigint>();
  private heldAtMs = 0;
  /** Whether trees may be left that began in another lineage. */
  private hasStale = true;
  private readonly installation: InstallationSealer | undefined;
  private installationAtMs = -Infinity;

  private constructor(
    private readonly options: SealingTermOptions,
    private readonly lease: SealerLease,
    private readonly lineage: SealedLineage,
    private readonly memory: SignerMemory,
  ) {
    const { database, keys, report, warn } = options;
    this.refusals = new Refusals(report);
    this.signer = new CheckpointSigner({
      database,
      keys,
      memory,
      lease,
      lineage,
      refusals: this.refusals,
      warn,
    });
    this.cache = new TreeCache(database, this.refusals);
    const { installation: entries } = options;
    const parts = { database, lease, lineage, memory, cache: this.cache };
    this.installation = entries && new InstallationSealer({ ...parts, entries });
  }

  /** Begins with what the signer remembers. */
  static async begin(
    options: SealingTermOptions,
    lease: SealerLease,
    lineage: SealedLineage,
  ): Promise<SealingTerm> {
    const memory = await SignerMemory.open(options.directory, lease.holder);
    const term = new SealingTerm(options, lease, lineage, memory);
    await sealing(options.database, async (tx) => {
      await Promise.all([holdSealer(tx, lease, lineage), recordLogKeys(tx, options.keys.publicKeys)]);
    });
    term.heldAtMs = performance.now();
    return term;
  }

  /** Gives the leaves of what is due their places, and signs what is safe. */
  async round(): Promise<SealedRound> {
    if (this.hasStale) await this.renewStale();
    const startedAtMs = performance.now();
    const { look, pages, isMore } = await this.read();
    await at('sealer.read');
    const grown = await this.grow(pages, look);
    await at('sealer.hashed');
    if (grown.length > 0) {
      await this.write(grown);
      roundsTotal.inc();
      roundSeconds.observe((performance.now() - startedAtMs) / 1_000);
    } else await this.stayHolder();
    if (!this.hasStale) await this.scan();
    await this.sealInstallation();
    await this.sign();
    const eventCount = grown.reduce((sum, each) => sum + each.eventCount, 0);
    return { eventCount, isMore: isMore || this.hasStale || this.scannedTo !== undefined };
  }

  close(): Promise<void> {
    return this.memory.close();
  }

  /** Begins the next epoch of some trees that began in another lineage. */
  private async renewStale(): Promise<void> {
    const { database, installation } = this.options;
    const { memory, lineage, lease } = this;
    const stale = await sealing(
      database,
      (tx) => listStaleTrees(tx, lineage.epoch, this.refusals.size + RENEWED_PER_ROUND),
      'read only',
    );
    const due = stale.filter(({ tenantId }) => !this.refusals.has(tenantId));
    this.hasStale = due.length > 0;
    for (const tree of due) {
      const renewed = await this.refusals.guardAsync(tree.tenantId, () =>
        sealing(database, async (tx) => {
          await holdSealer(tx, lease, lineage);
          return renewEpoch(tx, tree, { memory, lineage, installation });
        }),
      );
      await at('sealer.renewed');
      if (!renewed) continue;
      this.cache.keep(renewed.tree, renewed.growing);
      this.signer.add([renewed.unsigned]);
      epochsTotal.inc();
    }
  }

  private async sealInstallation(): Promise<void> {
    if (!this.installation || performance.now() - this.installationAtMs < INSTALLATION_LOOK_MS) return;
    this.installationAtMs = performance.now();
    const grown = await this.installation.seal();
    await at('sealer.placed');
    if (grown) this.signer.add([grown]);
    await this.installation.certify();
  }

  private async read(): Promise<{ look: SealingLook; pages: TenantPage[]; isMore: boolean }> {
    const { database, restMs, standbys } = this.options;
    const lineage = this.lineage.epoch;
    return sealing(
      database,
      async (tx) => {
        const look = await lookAtLog(tx, this.lineage, standbys);
        if (look.tick === this.settledTick) return { look, pages: [], isMore: false };
        const except = this.refusals.tenantIds;
        const asked = { restMs, except, lineage, limit: TENANTS_PER_ROUND, vacant: this.vacant };
        const due = await listDueTenants(tx, asked);
        if (due.length === 0 && !(await hasResting(tx, except, lineage))) this.settledTick = look.tick;
        const pages = await readPages(tx, due, look);
        const isMore = due.length === TENANTS_PER_ROUND || pages.some(({ isCut }) => isCut);
        return { look, pages: pages.filter((page) => this.isSealable(page)), isMore };
      },
      'read only',
    );
  }

  /** Whether there is something to seal; refuses a tenant of whom more was signed than the database has. */
  private isSealable({ tenant: { tenantId, tree, headTick }, rows }: TenantPage): boolean {
    if (tree) return true;
    if (rows.length === 0) {
      // Erased: no event is there, and there is no tree to keep.
      if (this.vacant.size >= VACANT_MAX) this.vacant.clear();
      this.vacant.set(tenantId, headTick);
      return false;
    }
    const newest = this.memory.newest(tenantId);
    // After a restore the operator has begun another lineage, and the tenant another epoch.
    if (newest?.lineage !== this.lineage.name) return true;
    const what = `epoch ${newest.epoch} was signed already, and the database has no tree`;
    this.refusals.refuse(tenantId, new LogRefused('behind', what));
    return false;
  }

  private async grow(pages: readonly TenantPage[], look: SealingLook): Promise<GrownTree[]> {
    const known = pages.flatMap(({ tenant }) => tenant.tree ?? []);
    const edges = await this.cache.load(known);
    const grown: GrownTree[] = [];
    for (const page of pages) {
      const { tree, tenantId } = page.tenant;
      const begun = tree ? undefined : begin(tenantId, this.lineage, this.memory);
      const from = tree ? edges.get(treeName(tree)) : GrowingTree.empty();
      const made = from && (await grow(page, from, look, begun));
      if (made) grown.push(made);
    }
    return grown;
  }

  private async write(grown: readonly GrownTree[]): Promise<void> {
    await sealing(this.options.database, async (tx) => {
      const held = holdSealer(tx, this.lease, this.lineage);
      const inserted = insertTrees(
        tx,
        grown.flatMap(({ begun }) => begun ?? []),
      );
      await Promise.all([
        held,
        inserted,
        writeChanges(
          tx,
          grown.map(({ change }) => change),
        ),
      ]);
      await at('sealer.written');
    });
    await at('sealer.committed');
    this.heldAtMs = performance.now();
    const unsigned: Unsigned[] = [];
    for (const { change, growing, unsigned: added, eventCount, begun } of grown) {
      this.cache.keep(change.after, growing);
      if (eventCount > 0 || begun) unsigned.push(added);
      sealedTotal.inc(eventCount);
    }
    this.signer.add(unsigned);
  }

  /** Finds trees that have grown since they were signed, a page at a time. */
  private async scan(): Promise<void> {
    if (this.refusals.expire()) [this.scannedTo, this.hasStale, this.settledTick] = [NIL, true, undefined];
    const from = this.scannedTo;
    if (from === undefined) return;
    const trees = await sealing(
      this.options.database,
      (tx) => listTrees(tx, from, TREES_PER_SCAN),
      'read only',
    );
    const grown = trees.filter(
      ({ tree, signed }) => tree.size !== (signed ?? 0) || tree.size !== this.memory.last(tree)?.size,
    );
    const edges = await this.cache.load(grown.map(({ tree }) => tree));
    this.signer.add(
      grown.flatMap(({ tree }) => {
        const growing = edges.get(treeName(tree));
        if (!growing) return [];
        const { tenantId, epoch, size } = tree;
        return [{ tenantId, epoch, size, root: growing.root(), oldestAtMs: undefined }];
      }),
    );
    this.scannedTo = trees.length < TREES_PER_SCAN ? undefined : trees.at(-1)?.tree.tenantId;
  }

  private async sign(): Promise<void> {
    if (!this.signer.isWaiting) return;
    const look = await sealing(
      this.options.database,
      (tx) => lookAtLog(tx, this.lineage, this.options.standbys),
      'read only',
    );
    await at('sealer.positioned');
    await this.signer.sign(look.flushedHere, look.flushedTo);
  }

  /** Renews the lease when a third of it is gone. */
  private async stayHolder(): Promise<void> {
    if (performance.now() - this.heldAtMs < this.lease.leaseMs / 3) return;
    await sealing(this.options.database, (tx) => holdSealer(tx, this.lease, this.lineage));
    this.heldAtMs = performance.now();
  }
}
