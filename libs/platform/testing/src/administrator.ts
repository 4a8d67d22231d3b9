import { Client } from 'pg';

/** Most calls come one at a time; a session more than this is closed behind its use. */
const IDLE_MAX = 2;

/** The driver's types leave out whether a connection keeps its process alive. */
type Session = Client & { ref(): void; unref(): void };

/**
 * The superuser's sessions on one database. Each call has a session without a past, yet not a connection of its own: making one
 * costs what a hundred statements do, and tests ask as the superuser more often than in any other role.
 */
export class Administrator {
  private readonly idle: Session[] = [];

  constructor(private readonly url: string) {}

  /** Runs work in a session that nobody else uses meanwhile. */
  async run<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = (await this.takeIdle()) ?? (await this.connect());
    try {
      return await work(client);
    } finally {
      await this.giveBack(client);
    }
  }

  /** Ends the sessions that nobody uses. */
  async close(): Promise<void> {
    await Promise.all(this.idle.splice(0).map((client) => client.end()));
  }

  /** One that its server has not ended: tests terminate sessions and stop servers. */
  private async takeIdle(): Promise<Session | undefined> {
    for (let client = this.idle.pop(); client; client = this.idle.pop()) {
      client.ref();
      const isAlive = await client.query('').then(
        () => true,
        () => false,
      );
      if (isAlive) return client;
    }
    return undefined;
  }

  private async connect(): Promise<Session> {
    const client = new Client({ connectionString: this.url }) as Session;
    client.on('error', () => {}); // The statement under way, or the next one, tells of a server that goes away.
    await client.connect();
    return client;
  }

  /** Settings, roles, locks and prepared statements end here. A transaction that was left open cannot be, so its session does. */
  private async giveBack(client: Session): Promise<void> {
    const isFresh = await client.query('discard all').then(
      () => true,
      () => false,
    );
    if (!isFresh || this.idle.length >= IDLE_MAX) return client.end();
    client.unref(); // A spec that never drops its database still ends.
    this.idle.push(client);
  }
}
