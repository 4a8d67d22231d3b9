import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgres, freePort } from '@holdfast/embedded';
import { Client } from 'pg';
import { sizeMbOf, SmallDisk } from './small-disk';

const PASSWORD = 'holdfast';
/** Longer than a server under load takes to start, to follow another, or to be promoted. */
const MOVES_WITHIN_MS = 60_000;

/** On a small disk, beside what is there already: the load takes a segment of the WAL or two before it is full, and a start another. */
const ROOM_MB = 64;

const SETTINGS = {
  // Processes die here, and never the machine: what was written to its files survives without fsync.
  fsync: 'off',
  shared_buffers: '64MB',
  max_wal_size: '128MB',
  // For a standby that comes back: without it the primary recycles what the standby lacks at its next checkpoint.
  wal_keep_size: '256MB',
  wal_retrieve_retry_interval: '100ms',
  // Deadlocks are found soon, so that a storm of them is one.
  deadlock_timeout: '100ms',
};

interface Member {
  readonly directory: string;
  readonly port: number;
  server: EmbeddedPostgres;
}

/** How a standby follows. */
export interface Following {
  /** Whether no commit is answered before the standby has it. */
  readonly isSynchronous?: boolean;
  /** Where it finds the primary: at a proxy, if faults are to happen to it. */
  readonly through?: number;
}

const SLOT = 'standby';

/**
 * A primary and a standby without which no commit is answered, unless said: `synchronous_standby_names` has it. The embedded binaries
 * have no pg_basebackup, so a standby is made from a copy of the files of a primary that stands still for a second.
 */
export class PostgresPair {
  private standby: Member | undefined;
  private copies = 0;
  private follows: Following = {};

  private constructor(
    private readonly directory: string,
    private primary: Member,
  ) {}

  /** Starts a primary that waits for nobody yet. */
  static async start(): Promise<PostgresPair> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-pair-'));
    chmodSync(directory, 0o755); // The server runs as another user when the tests run as root.
    return new PostgresPair(directory, await startMember(join(directory, 'first'), await freePort()));
  }

  /** Where the primary listens. */
  get port(): number {
    return this.primary.port;
  }

  /** Process id of the primary. */
  get pid(): number {
    return this.primary.server.pid;
  }

  url(): string {
    return this.primary.server.url();
  }

  /** Gives the primary a standby with a slot, and waits until it follows. */
  async join(follows: Following = {}): Promise<void> {
    this.follows = follows;
    const [port, { directory }] = [await freePort(), this.primary];
    const copy = join(this.directory, `copy-${(this.copies += 1)}`);
    await this.primary.server.stop();
    mkdirSync(copy, { mode: 0o755 });
    execFileSync('cp', ['-a', join(directory, 'postgres'), copy]);
    // A file whose being there is all that counts; it has to be the server's.
    execFileSync('cp', ['-a', join(copy, 'postgres/PG_VERSION'), join(copy, 'postgres/standby.signal')]);
    this.primary = await startMember(directory, this.primary.port);
    await this.admin(`select pg_create_physical_replication_slot('${SLOT}')`);
    this.standby = await startMember(copy, port, this.following());
    if (follows.isSynchronous ?? true) {
      await this.admin("alter system set synchronous_standby_names = 'standby'");
      await this.admin('select pg_reload_conf()');
    }
    await this.untilInSync();
  }

  /** Brings a standby back that was left away. */
  async mend(): Promise<void> {
    if (await this.isFollowed()) return;
    await (this.standby ? this.startStandby() : this.join());
  }

  /** Takes the standby away as a crash does. From here on no commit is answered. */
  async stopStandby(): Promise<void> {
    await this.needStandby().server.stop('immediate');
    await until('the primary to notice', async () => !(await this.isFollowed()));
  }

  /** Brings it back. */
  async startStandby(): Promise<void> {
    const { directory, port } = this.needStandby();
    this.standby = await startMember(directory, port, this.following());
    await this.untilInSync();
  }

  /** Crashes the primary and starts it again at its port; it recovers from its log. */
  async restartPrimary(): Promise<void> {
    const { directory, port, server } = this.primary;
    await server.stop('immediate');
    this.primary = await startMember(directory, port);
    await this.untilInSync();
  }

  /**
   * Has a part of the primary's files on a disk of their own with little room while something is done. The primary is restarted before
   * it and behind it.
   */
  async onSmallDisk<T>(part: 'base' | 'pg_wal', work: (disk: SmallDisk) => Promise<T>): Promise<T> {
    const [files, place] = [join(this.primary.directory, 'postgres', part), join(this.directory, 'small')];
    const disk = SmallDisk.mount(place, sizeMbOf(files) + ROOM_MB);
    await this.move(() => {
      execFileSync('cp', ['-a', files, place]);
      rmSync(files, { recursive: true });
      symlinkSync(join(place, part), files);
    });
    try {
      return await work(disk);
    } finally {
      disk.free();
      await this.move(() => {
        rmSync(files);
        execFileSync('cp', ['-a', join(place, part), files]);
      });
      disk.unmount();
    }
  }

  /** Crashes the primary for good and makes the standby the primary, which waits for nobody. */
  async failOver(): Promise<void> {
    const [lost, heir] = [this.primary, this.needStandby()];
    await lost.server.stop('immediate');
    this.primary = heir;
    this.standby = undefined;
    await this.admin("alter system set synchronous_standby_names = ''");
    await this.admin('select pg_reload_conf()');
    const [promoted] = await this.admin<{ done: boolean }>('select pg_promote() as done');
    if (promoted?.done !== true) throw new Error('the standby was not promoted');
    rmSync(lost.directory, { recursive: true, force: true });
  }

  /** Runs SQL on the primary as the superuser, past every proxy. */
  async admin<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: this.url() });
    client.on('error', () => {}); // The statement tells of a server that goes away.
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Everything that the primary has logged. */
  logged(): string {
    return readFileSync(join(this.primary.directory, 'postgres.log'), 'utf8');
  }

  /** Whether a standby follows the primary, and commits wait for it where they are to. */
  async isFollowed(): Promise<boolean> {
    const state = (this.follows.isSynchronous ?? true) ? 'sync' : 'async';
    const found = await this.admin(
      "select from pg_stat_replication where sync_state = $1 and state = 'streaming'",
      [state],
    );
    return found.length > 0;
  }

  /** On which timeline the primary is; a promotion begins one. */
  async timeline(): Promise<number> {
    const [at] = await this.admin<{ timeline: string }>(
      'select left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline',
    );
    return Number.parseInt(at?.timeline ?? '', 16);
  }

  async close(): Promise<void> {
    await this.standby?.server.stop('immediate');
    await this.primary.server.stop('immediate');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Stops the primary for as long as its files are moved. */
  private async move(moving: () => void): Promise<void> {
    const { directory, port, server } = this.primary;
    await server.stop();
    moving();
    this.primary = await startMember(directory, port);
    await this.untilInSync();
  }

  private untilInSync(): Promise<void> {
    return until('the standby to follow', () => this.isFollowed());
  }

  private needStandby(): Member {
    if (!this.standby) throw new Error('there is no standby');
    return this.standby;
  }

  private following(): Readonly<Record<string, string>> {
    const port = this.follows.through ?? this.primary.port;
    const primary = `host=127.0.0.1 port=${port} user=postgres password=${PASSWORD}`;
    return { primary_conninfo: `${primary} application_name=standby`, primary_slot_name: SLOT };
  }
}

/** Waits for something that comes within a second, but for a machine under load. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + MOVES_WITHIN_MS; !(await holds()); await sleep(20))
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`);
}

async function startMember(
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Member> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const server = await EmbeddedPostgres.start({
    directory: join(directory, 'postgres'),
    port,
    password: PASSWORD,
    settings: { ...SETTINGS, ...settings },
  });
  return { directory, port, server };
}
