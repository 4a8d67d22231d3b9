import { randomUUID } from 'node:crypto';
import { createPostgresBackend, createRedisBackend, withBackend } from 'bullmq';
import type { Scene } from './scene';

const onPostgres = withBackend(createPostgresBackend);
const onRedis = withBackend(createRedisBackend);

/** Adds wake-ups of the group `effects` behind the queue's back: without its deduplication, so many run at a time. */
export async function duplicateWakeUps(scene: Scene, copies: number): Promise<void> {
  const { stage, database, writers, queues } = scene;
  const queue =
    queues === 'redis'
      ? new onRedis.Queue<{ key: string }>('wake.effects', {
          connection: { host: '127.0.0.1', port: stage.redisPort },
          prefix: 'holdfast',
        })
      : new onPostgres.Queue<{ key: string }>('wake.effects', {
          connection: { connectionString: database.url('holdfast_jobs'), schema: 'jobs', max: 1 },
        });
  queue.on('error', () => {}); // Its server may be away by now: a duplicate less.
  try {
    for (let n = 0; n < copies; n += 1) {
      // Each under a name of its own, so that none is dropped as a copy of another.
      const opts = () => ({
        removeOnComplete: true,
        removeOnFail: true,
        deduplication: { id: randomUUID() },
      });
      await queue.addBulk(writers.tenantIds.map((key) => ({ name: 'wake', data: { key }, opts: opts() })));
    }
  } finally {
    await queue.close();
  }
}
