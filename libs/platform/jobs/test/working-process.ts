import { setTimeout as sleep } from 'node:timers/promises';
import { WakeUpQueue } from '../src/wake-up-queue';

/**
 * A process that adds to a queue and works on it until it is told to stop by SIGTERM. It says what happens on stdout, and
 * ends by itself: nothing here calls `process.exit`.
 */
async function main(url: string, workMs: number): Promise<void> {
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  const queue = new WakeUpQueue({
    name: `closing-${process.pid}`,
    backend: { kind: 'redis', url },
    report: (_error, doing) => say(`reported ${doing}`),
  });
  // Keeps the process alive until the signal; with it goes the last handle that is not the queue's.
  const alive = setInterval(() => {}, 1_000);
  process.once('SIGTERM', () => {
    clearInterval(alive);
    void queue.close().then(() => say('closed'));
  });
  queue.work(async (key) => {
    say(`woken ${key}`);
    await sleep(workMs);
    say(`done ${key}`);
  }, 2);
  await queue.enqueue(['a']).catch(() => say('refused'));
}

void main(process.argv[2] ?? '', Number(process.argv[3]));
