import type { Redis } from 'ioredis';
import { redisOptions } from './backend';
import { RedisConnections } from './redis-connections';

/** After a command that failed, one command tries again so often; the others do not wait for how it goes. */
const REST_MS = 1_000;

/** Redis did not take a command, or not in time. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/**
 * Redis for questions that are worth asking only while the answer is quick.
 *
 * A command fails at once while there is no connection, and after the deadline where the server is slow or hangs. From
 * then on Redis counts as away, and for a second at a time only one command is sent to see whether it has come back: of
 * all who ask meanwhile, none waits. What a command did that failed is unknown; none is sent twice.
 */
export class PromptRedis {
  private readonly connections = new RedisConnections(() => {}); // What it hears shows in `isAway`, and in commands.
  private readonly redis: Redis;
  private restsUntilMs = 0;
  private failing = false;

  /** `onChange` hears when Redis goes and when it is back. */
  constructor(
    url: string,
    deadlineMs: number,
    private readonly onChange: (away: boolean) => void = () => {},
  ) {
    this.redis = this.connections.open({
      ...redisOptions(url),
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: deadlineMs,
    });
  }

  /** Whether a command would fail without being sent. */
  get isAway(): boolean {
    return this.redis.status !== 'ready' || performance.now() < this.restsUntilMs;
  }

  /** Names a Lua script, which then is a command. */
  define(name: string, script: { readonly numberOfKeys: number; readonly lua: string }): void {
    this.redis.defineCommand(name, script);
  }

  /** Runs a command. Throws RedisAway. */
  async run(name: string, args: readonly string[]): Promise<unknown> {
    if (this.isAway) throw this.failed('there is no connection');
    // While it fails, this one tries alone.
    if (this.failing) this.restsUntilMs = performance.now() + REST_MS;
    try {
      const answer = await this.commands[name]?.(...args);
      this.succeeded();
      return answer;
    } catch (error) {
      this.restsUntilMs = performance.now() + REST_MS;
      throw this.failed(error instanceof Error ? error.message : String(error));
    }
  }

  /** Resolves when Redis answers. Throws RedisAway. */
  async ping(): Promise<void> {
    await this.run('ping', []);
  }

  close(): void {
    this.connections.end();
  }

  /** Scripts become methods, which no type can know. */
  private get commands(): Record<string, (...args: string[]) => Promise<unknown>> {
    return this.redis as never;
  }

  private succeeded(): void {
    this.restsUntilMs = 0;
    if (this.failing) this.onChange(false);
    this.failing = false;
  }

  private failed(why: string): RedisAway {
    if (!this.failing) this.onChange(true);
    this.failing = true;
    return new RedisAway(why);
  }
}
