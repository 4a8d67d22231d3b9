import { configOrExit, describeConfig } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger, runProcess } from '@holdfast/observability';
import { configurePolicies } from '@holdfast/resilience';
import { startWorker } from './worker';

const config = configOrExit('worker');
configurePolicies(config.policies);
const logger = createLogger({ app: 'worker', level: config.logLevel });

/** The worker process: configuration, then sequencer and consumers, until a signal asks it to stop. */
void runProcess(logger, async () => {
  const telemetry = new TelemetryStore({ url: config.clickhouseUrl });
  const worker = await startWorker(config, { logger, telemetry, serveMetrics: true });
  logger.info({ context: JSON.stringify(describeConfig('worker', config)) }, 'The worker runs.');
  return async () => {
    await worker.stop();
    await telemetry.close();
  };
});
