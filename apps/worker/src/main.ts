import { configOrExit, describeConfig } from '@holdfast/config';
import { createLogger } from '@holdfast/observability';
import { TelemetryStore } from '@holdfast/telemetry';
import { startWorker } from './worker';

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
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

void main();
