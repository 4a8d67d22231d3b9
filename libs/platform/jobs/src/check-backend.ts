import { SchemaVersionMismatchError, UnsupportedPostgresVersionError } from 'bullmq';
import type { Redis } from 'ioredis';
import { prepareBackend, type QueueBackend, redisOptions } from './backend';
import { RedisConnections } from './redis-connections';

/** The backend of the queues is not one that they can be kept in: nothing that waits mends that. */
export class QueueBackendUnfit extends Error {
  override readonly name = 'QueueBackendUnfit';
}

/** The backend did not answer, so it is not known whether it is fit. */
export class QueueBackendAway extends Error {
  override readonly name = 'QueueBackendAway';
}

/** Less than the 2 s after which a health check is given up, so that what is said is what was found. */
const CHECK_TIMEOUT_MS = 1_500;
/** Below 6.2 commands are missing that BullMQ counts on, and it says so only in a line on the console. */
const REDIS_MIN = '6.2.0';

/**
 * Asks the backend whether queues can be kept there. Answers with what could not be found out; throws QueueBackendUnfit, with
 * what to do about it, or QueueBackendAway after `timeoutMs`.
 *
 * Redis: 6.2 or newer, and `noeviction`, since with any other policy it drops keys of BullMQ's when its memory is full.
 * PostgreSQL: a version that BullMQ takes, and its tables in a state that this version of BullMQ knows; older ones are
 * brought up to it.
 */
export async function checkQueueBackend(
  backend: QueueBackend,
  timeoutMs = CHECK_TIMEOUT_MS,
): Promise<readonly string[]> {
  if (backend.kind === 'redis') return checkRedis(backend.url, timeoutMs);
  try {
    await prepareBackend(backend, timeoutMs);
    return [];
  } catch (error) {
    const isUnfit =
      error instanceof SchemaVersionMismatchError || error instanceof UnsupportedPostgresVersionError;
    if (isUnfit) throw new QueueBackendUnfit(error.message, { cause: error });
    throw new QueueBackendAway('PostgreSQL does not answer for the queues', { cause: error });
  }
}

async function checkRedis(url: string, timeoutMs: number): Promise<readonly string[]> {
  const connections = new RedisConnections(() => {}); // What it hears shows in the answer that does not come.
  const redis = connections.open({ ...redisOptions(url, timeoutMs), enableReadyCheck: false });
  const timer = setTimeout(() => connections.end(), timeoutMs);
  try {
    const fields = fieldsOf(await redis.info());
    requireVersion(fields.get('redis_version'));
    const policy = fields.get('maxmemory_policy') ?? (await configuredPolicy(redis));
    if (policy === undefined)
      return ['Redis does not tell its maxmemory-policy: see to it that it is noeviction'];
    if (policy === 'noeviction') return [];
    throw new QueueBackendUnfit(
      `Redis has the maxmemory-policy ${policy} and would drop jobs when its memory is full: set it to noeviction ` +
        '(redis.conf, CONFIG SET, or the parameters of the managed server)',
    );
  } catch (error) {
    if (error instanceof QueueBackendUnfit) throw error;
    if (String(error).includes('ERR unknown command'))
      throw new QueueBackendUnfit(`Redis is older than 6, and has to be ${REDIS_MIN} or newer`, {
        cause: error,
      });
    // A user may lack the right to ask; that is no answer either way.
    if (String(error).includes('NOPERM'))
      return [`Redis does not let its user ask for INFO: ${String(error)}`];
    throw new QueueBackendAway('Redis does not answer', { cause: error });
  } finally {
    clearTimeout(timer);
    connections.end();
  }
}

/** Managed servers rename CONFIG or forbid it. */
async function configuredPolicy(redis: Redis): Promise<string | undefined> {
  try {
    const [, policy] = await redis.config('GET', 'maxmemory-policy');
    return policy;
  } catch {
    return undefined; // The caller says that it is not known.
  }
}

/** `name:value` lines of INFO. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function requireVersion(version = ''): void {
  if (version.localeCompare(REDIS_MIN, 'en', { numeric: true }) >= 0) return;
  throw new QueueBackendUnfit(
    `Redis is of version ${version || 'unknown'}, and has to be ${REDIS_MIN} or newer`,
  );
}
