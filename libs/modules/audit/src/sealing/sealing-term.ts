import type { Database } from '@holdfast/database';
import { at, type Report } from '@holdfast/events';
import { CheckpointSigner, type Unsigned } from './checkpoint-signer';
import { recordLogKeys } from './checkpoints.sql';
import { GrowingTree, NIL } from './growing-tree';
import type { LogKeys } from './log-keys';
import { DuePages } from './due-pages';
import type { InstallationEntries } from './installation-log';
import { InstallationSealer } from './installation-sealer';
import { renewEpoch } from './new-epoch';
import { listStaleTrees } from './new-epoch.sql';
import { LogRefused, Refusals } from './refusals';
import { holdSealer, type SealedLineage, type SealerLease, sealing } from './sealer-lease.sql';
import { lookAtLog, type SealingLook } from './sealing-look.sql';
import { ofTenant, treeChanged } from './sealing-failures';
import { epochsTotal, roundSeconds, roundsTotal, sealedTotal } from './sealing-metrics';
import { begin, grow, type GrownTree, type TenantPage } from './sealing-round';
import { SignerMemory } from './signer-memory';
import type { StandbyRule } from './standby-rule';
import { TreeCache } from './tree-cache';
import { insertTrees, listTrees, type TreeChanged, treeName, writeChanges } from './trees.sql';

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
  /** Tenants whose trees were not as they were read, since the last commit. Outlives terms as well. */
  readonly suspects: Set<string>;
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
  private readonly due: DuePages;
  /** Behind which tenant the scan for unsigned trees goes on; undefined when it is through. */
  private scannedTo: string | undefined = NIL;
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
    this.due = new DuePages({
      ...options,
      lineage,
      memory,
      refusals: this.refusals,
      stayHolder: () => this.stayHolder(),
    });
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
    const { look, pages, isMore } = await this.due.read();
    await at('sealer.read');
    const grown = await this.grow(pages, look);
    await at('sealer.hashed');
    if (grown.length > 0) {
      if (!(await this.write(grown))) return { eventCount: 0, isMore: true };
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

  private async grow(pages: readonly TenantPage[], look: SealingLook): Promise<GrownTree[]> {
    const known = pages.flatMap(({ tenant }) => tenant.tree ?? []);
    const edges = await this.cache.load(known);
    const grown: GrownTree[] = [];
    for (const page of pages) {
      const { tree, tenantId } = page.tenant;
      const begun = tree ? undefined : begin(tenantId, this.lineage, this.memory);
      const from = tree ? edges.get(treeName(tree)) : GrowingTree.empty();
      const made =
        from &&
        (await this.refusals.guardAsync(tenantId, () => ofTenant(() => grow(page, from, look, begun))));
      if (made) grown.push(made);
    }
    return grown;
  }

  /** Commits what the round made; answers false where a tree is not as it was read, and its tenant is left out. */
  private async write(grown: readonly GrownTree[]): Promise<boolean> {
    const error = await this.commit(grown).then(() => undefined, treeChanged);
    if (error) {
      this.leaveOut(error);
      return false;
    }
    this.options.suspects.clear();
    await at('sealer.committed');
    this.heldAtMs = performance.now();
    const unsigned: Unsigned[] = [];
    for (const { change, growing, unsigned: added, eventCount, begun } of grown) {
      this.cache.keep(change.after, growing);
      if (eventCount > 0 || begun) unsigned.push(added);
      sealedTotal.inc(eventCount);
    }
    this.signer.add(unsigned);
    return true;
  }

  /** A commit whose outcome was unknown may have come late: then all is well once the trees are read anew. */
  private leaveOut(error: TreeChanged): void {
    const { suspects } = this.options;
    const known = error.tenantIds.filter((tenantId) => suspects.has(tenantId));
    for (const tenantId of error.tenantIds) suspects.add(tenantId);
    if (known.length === 0) throw error;
    for (const tenantId of known) this.refusals.refuse(tenantId, new LogRefused('changed', error.message));
  }

  private async commit(grown: readonly GrownTree[]): Promise<void> {
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
  }

  /** Finds trees that have grown since they were signed, a page at a time. */
  private async scan(): Promise<void> {
    if (this.refusals.expire()) {
      [this.scannedTo, this.hasStale] = [NIL, true];
      this.due.lookAgain();
    }
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
