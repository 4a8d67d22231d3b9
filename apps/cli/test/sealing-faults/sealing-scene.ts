import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bumpEpoch, Sequencer, type Step } from '@holdfast/events';
import { leafHash } from '@holdfast/tlog';
import { findFaults, readSealedTrees } from '../../../../libs/modules/audit/test/sealed-log';
import { publicKeyOf, testLogKey } from '../../../../libs/modules/audit/test/test-sealer';
import { TestDatabase } from '@holdfast/testing';
import { PROBE } from '../../../worker/test/faults/stage';
import { Writers } from '../../../worker/test/faults/journal';
import { SealerProcess } from './sealer-process';
import { SignedCheckpoints } from './signed-checkpoints';

/** A lease that is over soon: what it guards does not depend on its length. */
export const LEASE_MS = 1_500;
const LOG_NAME = 'holdfast.test';
/** Whose log the installation's own is. */
const NIL = '00000000-0000-0000-0000-000000000000';
/** What happens within a second, but for a machine under load. */
const WITHIN_MS = 60_000;

/** One run: a database, writers with a journal, a sequencer, and processes that seal. */
export class SealingScene {
  readonly signed = new SignedCheckpoints();
  readonly processes: SealerProcess[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-signer-'));
  private readonly privateKey = testLogKey();
  private readonly watching = new AbortController();
  private watched: Promise<void> = Promise.resolve();

  private constructor(
    readonly database: TestDatabase,
    readonly writers: Writers,
    private sequencer: Sequencer,
  ) {}

  /** Opens a scene on a server; without one on that of the tests. */
  static async open({
    serverUrl,
    tenants = 4,
    seed = 1,
    continueOnFailover = true,
  }: {
    serverUrl?: string;
    tenants?: number;
    seed?: number;
    continueOnFailover?: boolean;
  } = {}): Promise<SealingScene> {
    const database = await (serverUrl ? TestDatabase.createOn(serverUrl) : TestDatabase.create());
    for (const text of PROBE) await database.admin(text);
    const writers = await Writers.prepare(database, { tenants, seed });
    const sequencer = new Sequencer({
      relay: database.as('holdfast_relay', 2),
      continueOnFailover,
      leaseMs: 1_000,
      onTick: () => {},
      report: () => {}, // The server goes away in some scenes.
    });
    const scene = new SealingScene(database, writers, sequencer);
    sequencer.start();
    scene.watched = scene.watch();
    return scene;
  }

  /** Starts a process that seals, and does something to itself at a step. */
  start(fault?: {
    readonly step: Step;
    readonly action: 'kill' | 'stop';
    readonly pass?: number;
  }): SealerProcess {
    const process = new SealerProcess({
      url: this.database.url('holdfast_sealer'),
      directory: this.directory,
      privateKey: this.privateKey,
      logName: LOG_NAME,
      leaseMs: LEASE_MS,
      faults: fault ? [{ sleepMs: 0, pass: 1, ...fault }] : [],
    });
    this.processes.push(process);
    return process;
  }

  /** Adopts the database in a further epoch, as an operator does. */
  bump(): Promise<number> {
    return bumpEpoch(this.database.as('holdfast_ops', 1), 'tester', 'a test of faults');
  }

  /** Registers a key as a process of the API does: an entry of the installation's own log. */
  async registerReceiptKey(): Promise<void> {
    await this.database.admin("select auth.register_receipt_key($1, interval '1 hour', 'test')", [
      randomBytes(32),
    ]);
  }

  /** Waits for something that comes soon. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + WITHIN_MS; !(await holds()); await sleep(50))
      if (Date.now() > deadline) throw new Error(`waited too long for ${what}:\n${this.output}`);
  }

  get output(): string {
    return this.processes.map(({ output }) => output).join('\n');
  }

  /** Ends the writing, and waits until every event has its one leaf under a checkpoint. Then nothing may contradict it. */
  async settle(): Promise<void> {
    await this.writers.stop();
    let faults: readonly string[] = [];
    await this.until('every event to be sealed', async () => {
      faults = await this.faults();
      return faults.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`${faults.slice(0, 20).join('\n')}\n${String(error)}`);
    });
    await this.collect();
    const tenantIds = [...this.writers.tenantIds, NIL];
    const contradictions = await this.signed.contradictions(this.database, LOG_NAME, tenantIds);
    if (contradictions.length > 0) throw new Error(contradictions.join('\n'));
    if (this.signed.count <= tenantIds.length) throw new Error('too little was signed to tell anything');
  }

  /** Looks at what is signed by now. */
  collect(): Promise<void> {
    return this.signed.collect(this.directory, (text, values) => this.database.admin(text, values));
  }

  /** Epoch and size of each tenant's newest tree. */
  async trees(): Promise<ReadonlyMap<string, { readonly epoch: number; readonly size: number }>> {
    const rows = await this.database.admin<{ id: string; epoch: number; size: number }>(
      'select tenant_id::text as id, epoch, size::int from audit.trees where tenant_id = any ($1::uuid[])',
      [this.writers.tenantIds],
    );
    return new Map(rows.map(({ id, ...tree }) => [id, tree]));
  }

  originOf(tenantId: string, epoch: number): string {
    return `${LOG_NAME}/${tenantId}/${epoch}`;
  }

  /** Events that were acknowledged and are not there. */
  async lost(): Promise<string[]> {
    const ids = this.writers.journal
      .filter(({ outcome }) => outcome === 'ok')
      .flatMap(({ moves }) => moves.map(({ id }) => id));
    const rows = await this.database.admin<{ id: string }>(
      `select w.id::text from unnest($1::uuid[]) w (id)
       where not exists (select from events.log e where e.tenant_id = any ($2::uuid[]) and e.id = w.id)`,
      [ids, this.writers.tenantIds],
    );
    return rows.map(({ id }) => id);
  }

  async close(): Promise<void> {
    await Promise.all(this.processes.map((each) => each.kill()));
    this.watching.abort();
    await this.watched;
    await this.writers.stop().catch(() => {}); // What failed before is what is reported.
    await this.sequencer.stop();
    await this.database.drop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async faults(): Promise<string[]> {
    const log = { logName: LOG_NAME, publicKey: publicKeyOf(LOG_NAME, [this.privateKey]) };
    const found = await Promise.all(
      this.writers.tenantIds.map((tenantId) => findFaults(this.database, log, tenantId)),
    );
    return [...found.flat(), ...(await this.faultsOfKeys())];
  }

  /** Every key has to be the leaf that its row names, and to have the proof of it. */
  private async faultsOfKeys(): Promise<string[]> {
    const keys = await this.database.admin<{
      id: string;
      entry: string;
      epoch: number;
      leaf: number;
      certified: boolean;
    }>(
      'select id, entry, epoch, leaf::int, certificate is not null as certified from audit.receipt_keys order by id',
    );
    const trees = new Map((await readSealedTrees(this.database, NIL)).map((tree) => [tree.epoch, tree]));
    return keys.flatMap(({ id, entry, epoch, leaf, certified }) => {
      const isPlaced = trees.get(epoch)?.hashes[leaf]?.equals(leafHash(entry)) ?? false;
      if (!isPlaced) return [`leaf ${leaf} of epoch ${epoch} is not the receipt key ${id}`];
      return certified ? [] : [`the receipt key ${id} has no certificate`];
    });
  }

  /** Collects what is signed while it happens: a checkpoint is replaced by the next one of its hour. */
  private async watch(): Promise<void> {
    const { signal } = this.watching;
    while (!signal.aborted) {
      // The server may be away, and a file be replaced while it is read.
      await this.collect().catch(() => {}); // Collected the next time.
      await sleep(100, undefined, { signal }).catch(() => {}); // Closed.
    }
  }
}
