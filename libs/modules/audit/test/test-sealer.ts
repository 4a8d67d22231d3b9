import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestDatabase } from '@holdfast/testing';
import { LogKeys } from '../src/sealing/log-keys';
import { SealingStopped } from '../src/sealing/sealer-lease.sql';
import { TreeChanged } from '../src/sealing/trees.sql';
import { Sealer, type SealerOptions } from '../src/sealing/sealer';

/** What a test may want of its sealer besides. */
export type TestSealerOptions = Partial<
  Pick<SealerOptions, 'privateKeys' | 'directory' | 'leaseMs' | 'restMs' | 'logName' | 'installation'>
>;

/** An Ed25519 key as AUDIT_LOG_KEY_PRIVATE has it. */
export function testLogKey(): string {
  return generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'der' })
    .toString('base64');
}

/** The public key of the first of these keys: 32 bytes. */
export function publicKeyOf(logName: string, privateKeys: readonly string[]): Buffer {
  const [current] = new LogKeys(logName, privateKeys).publicKeys;
  if (!current) throw new Error('there is no key');
  return current;
}

/** Rounds after which a test's log is not sealed and never will be. */
const ROUNDS_MAX = 10_000;

/** Seals a test's database in the test's own process: events that have committed have their leaves when `seal` returns. */
export class TestSealer {
  readonly errors: unknown[] = [];
  readonly warnings: string[] = [];
  readonly logName: string;
  readonly privateKeys: readonly string[];
  readonly sealer: Sealer;

  private constructor(
    private readonly database: TestDatabase,
    readonly directory: string,
    options: TestSealerOptions,
  ) {
    this.logName = options.logName ?? 'holdfast.test';
    this.privateKeys = options.privateKeys ?? [testLogKey()];
    this.sealer = new Sealer({
      leaseMs: 60_000,
      restMs: 0,
      ...options,
      database: database.as('holdfast_sealer', 2),
      logName: this.logName,
      privateKeys: this.privateKeys,
      directory,
      report: (error) => this.errors.push(error),
      warn: (message) => this.warnings.push(message),
    });
  }

  /** The current public key of the log: 32 bytes. */
  get publicKey(): Buffer {
    return publicKeyOf(this.logName, this.privateKeys);
  }

  /** A sealer that remembers in a directory of its own. Give it back with `close`. */
  static async create(database: TestDatabase, options: TestSealerOptions = {}): Promise<TestSealer> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'holdfast-signer-')));
    return new TestSealer(database, directory, options);
  }

  /** Makes a tick, and seals and signs all that has committed. Throws what made a round fail, or refused a tenant. */
  async seal(): Promise<void> {
    await makeTestTick(this.database);
    for (let rounds = 0, idle = 0; idle < 2; rounds += 1) {
      const round = await this.sealer.round().catch((error: unknown) => this.again(error));
      if (!round || rounds === ROUNDS_MAX) throw new Error('the test sealer could not seal');
      idle = round.eventCount === 0 && !round.isMore ? idle + 1 : 0;
    }
    if (this.errors.length > 0) throw new AggregateError(this.errors, 'sealing failed');
  }

  /** A round ends where the operator has begun another lineage, or a tree is not as it was read; the next one begins anew. */
  private again(error: unknown): ReturnType<Sealer['round']> {
    if (error instanceof SealingStopped || error instanceof TreeChanged) return this.sealer.round();
    throw error;
  }

  /** Gives the lease back; what was remembered stays. */
  async stop(): Promise<void> {
    await this.sealer.stop();
  }

  /** The same, and removes the directory. */
  async close(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Puts everything that has committed in order, as the sequencer does, whose lease this takes and gives back. */
export async function makeTestTick(database: TestDatabase): Promise<void> {
  await database.admin('select events.verify_lineage(null, null, false)');
  await database.admin(
    `with led as (
       update events.leases set holder = 'test', fence = fence + 1, expires_at = clock_timestamp() + interval '1 minute'
       where name = 'sequencer' returning fence)
     select fence from led`,
  );
  await database.admin(
    `select t.new_tick from events.leases l, events.tick('test', l.fence, 60000) t where l.name = 'sequencer' and l.holder = 'test'`,
  );
  await database.admin(
    "update events.leases set expires_at = '-infinity' where name = 'sequencer' and holder = 'test'",
  );
}
