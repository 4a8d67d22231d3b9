import { flushCompileCache } from 'node:module';
import { configOrExit } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger, runProcess } from '@holdfast/observability';
import { startWorker } from '../../src/worker';
import { CopiesConsumer } from './copies-consumer';
import { EffectsConsumer } from './effects-consumer';
import type { Probe } from './worker-process';

const config = configOrExit('worker');
const logger = createLogger({ app: 'worker', level: config.logLevel });

const { failing, paceMs, refusing, losing, copies } = JSON.parse(process.argv[2] ?? '{}') as Probe;

process.on('SIGUSR2', () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.stdout.write(`live bytes: ${heapUsed + external}\n`);
});

/** The worker process as `holdfast worker` runs it, with the groups that the suites of faults look at besides its own. */
void runProcess(logger, async () => {
  const telemetry = new TelemetryStore({ url: config.clickhouseUrl });
  const worker = await startWorker(config, {
    logger,
    telemetry,
    serveMetrics: true,
    consumers: [
      new EffectsConsumer(failing, paceMs),
      ...(copies ? [new CopiesConsumer(copies, refusing, losing)] : []),
    ],
  });
  // Kept for the next one here, since most of these end by a signal that leaves no time for it.
  flushCompileCache();
  // A test that dies takes its workers with it: their standard input ends.
  process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGKILL'));
  return async () => {
    process.stdin.destroy();
    await worker.stop();
    await telemetry.close();
  };
});
