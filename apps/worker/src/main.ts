import { configOrExit, describeConfig } from '@holdfast/config';
import { createLogger, type Logger } from '@holdfast/observability';
import { TelemetryStore } from '@holdfast/telemetry';
import { startWorker } from './worker';

/**
 * Deliveries end after the page that they are at, which takes 8 s at most, and connections are given a second or two. What
 * takes longer does not answer. Kubernetes kills after 30 s, and would not say why.
 */
const STOP_DEADLINE_MS = 25_000;

/** The worker process: configuration, then sequencer and consumers, until a signal asks it to stop. */
async function main(): Promise<void> {
  const config = configOrExit('worker');
  const logger = createLogger({ app: 'worker', level: config.logLevel });
  const telemetry = new TelemetryStore({ url: config.clickhouseUrl });
  const worker = await startWorker(config, { logger, telemetry, serveMetrics: true });
  logger.info({ context: JSON.stringify(describeConfig('worker', config)) }, 'The worker runs.');
  const stop = async (): Promise<void> => {
    await worker.stop();
    await telemetry.close();
    logger.info('The worker has stopped.');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(stop, logger));
}

/** Stops, and sees to it that the process ends: with 1 when something failed, hung, or was left open. */
async function end(stop: () => Promise<void>, logger: Logger): Promise<void> {
  // Keeps nothing alive: it only fires in a process that something else keeps.
  setTimeout(() => {
    logger.error(`The worker did not stop within ${STOP_DEADLINE_MS / 1_000} s, and is ended.`);
    process.exit(1);
  }, STOP_DEADLINE_MS).unref();
  try {
    await stop();
  } catch (error) {
    logger.error({ err: error }, 'The worker failed to stop in order.');
    process.exitCode = 1;
  }
}

void main();
