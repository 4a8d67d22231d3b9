import { Redis, type RedisOptions } from 'ioredis';

/** Between two tries to reach a server that is away. */
const RETRY_MS = 1_000;
/** A server that does not answer the end of a connection is not waited for: by then nothing is expected from it. */
const DISCONNECT_TIMEOUT_MS = 100;

/**
 * The connections under one end of a queue: the one that BullMQ is given, and those that it makes of it.
 *
 * BullMQ forgets connections when the server dies before it closes them: they would try again for ever, keep the process
 * alive, and complain on stderr with nobody listening. These report to whoever opened them, and `end` ends them all.
 */
export class RedisConnections {
  private readonly opened = new Set<OwnedRedis>();
  private hasEnded = false;

  constructor(private readonly report: (error: Error) => void) {}

  /** A connection; with `lazyConnect` one that only its copies connect. */
  open(options: RedisOptions): Redis {
    const connection = new OwnedRedis(
      { ...options, retryStrategy: () => RETRY_MS, disconnectTimeout: DISCONNECT_TIMEOUT_MS },
      (copied) => this.open(copied),
    );
    // Whoever ends a connection has heard enough of it.
    connection.on('error', (error: Error) => this.hasEnded || this.report(error));
    this.opened.add(connection);
    return connection;
  }

  /** Ends every connection, whatever it is doing; commands that wait fail, and none connects again. */
  end(): void {
    this.hasEnded = true;
    for (const connection of this.opened) connection.finish();
    this.opened.clear();
  }
}

class OwnedRedis extends Redis {
  private finished = false;

  constructor(
    options: RedisOptions,
    private readonly openCopy: (options: RedisOptions) => Redis,
  ) {
    super({ ...options, replyMapping: 'legacy' });
  }

  override duplicate(override: Partial<RedisOptions> = {}): Redis {
    return this.openCopy({ ...this.options, lazyConnect: false, ...override });
  }

  override connect(callback?: () => void): Promise<void> {
    // BullMQ's loop connects again whatever it finds ended.
    if (this.finished) return Promise.reject(new Error('Connection is closed.'));
    return super.connect(callback);
  }

  /**
   * As in ioredis, but also between two tries: there ioredis stops its timer and nothing else, so that whoever waits for
   * the end, or for a command, waits for ever. Beginning a try and calling it off fails them all.
   */
  override disconnect(reconnect = false): void {
    const isBetweenTries = this.status === 'reconnecting' && !reconnect;
    super.disconnect(reconnect);
    if (!isBetweenTries) return;
    super.connect().catch(() => {}); // Called off in the next line.
    super.disconnect();
  }

  finish(): void {
    this.disconnect();
    this.finished = true;
  }
}
