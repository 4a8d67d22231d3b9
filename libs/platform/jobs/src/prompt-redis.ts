import type { PolicyName } from '@holdfast/config';
import { QuickPolicy, type QuickPolicyOptions } from '@holdfast/resilience';
import type { Redis } from 'ioredis';
import { redisOptions } from './backend';
import { RedisConnections } from './redis-connections';

/** Redis did not take a command, or not in time. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** What is said of a Redis besides where it is. */
export interface PromptRedisOptions extends Pick<QuickPolicyOptions, 'settings'> {
  /** Under which its calls show. */
  readonly policy: PolicyName;
  /** Hears when Redis goes and when it is back. */
  readonly onChange?: (away: boolean) => void;
}

/**
 * Redis for questions that are worth asking only while the answer is quick.
 *
 * A command fails at once while there is no connection, and after the policy's deadline where the server is slow or hangs. From
 * then on Redis counts as away, and for a second at a time only one command is sent to see whether it has come back: of
 * all who ask meanwhile, none waits. What a command did that failed is unknown; none is sent twice.
 */
export class PromptRedis {
  private readonly connections = new RedisConnections(() => {}); // What it hears shows in `isAway`, and in commands.
  private readonly redis: Redis;
  private readonly policy: QuickPolicy;
  private readonly onChange: (away: boolean) => void;
  private failing = false;

  constructor(url: string, { policy, onChange = () => {}, ...options }: PromptRedisOptions) {
    this.redis = this.connections.open({
      ...redisOptions(url),
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
    });
    this.policy = new QuickPolicy(policy, { ...options, isConnected: () => this.redis.status === 'ready' });
    this.onChange = onChange;
  }

  /** Whether a command would fail without being sent. */
  get isAway(): boolean {
    return this.policy.isOpen;
  }

  /** Names a Lua script, which then is a command. */
  define(name: string, script: { readonly numberOfKeys: number; readonly lua: string }): void {
    this.redis.defineCommand(name, script);
  }

  /** Runs a command. Throws RedisAway. */
  async run(name: string, args: readonly string[]): Promise<unknown> {
    try {
      const answer = await this.policy.run(async () => this.commands[name]?.(...args));
      this.note(false);
      return answer;
    } catch (error) {
      this.note(true);
      throw new RedisAway(error instanceof Error ? error.message : String(error));
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

  private note(isFailing: boolean): void {
    if (this.failing !== isFailing) this.onChange(isFailing);
    this.failing = isFailing;
  }
}
