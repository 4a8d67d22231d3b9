import { configOrExit, describeConfig } from '@holdfast/config';
import { createLogger, runProcess, startMetricsServer } from '@holdfast/observability';
import { configurePolicies } from '@holdfast/resilience';
import { startIngest } from './ingest';

const config = configOrExit('ingest');
configurePolicies(config.policies);
const logger = createLogger({ app: 'ingest', level: config.logLevel });

/** The ingest process: configuration, then the server, until a signal asks it to stop. */
void runProcess(logger, async () => {
  const ingest = await startIngest(config, logger);
  const { host, metricsPort } = config;
  const metrics = await startMetricsServer({ host, port: metricsPort, health: ingest.health });
  const context = JSON.stringify(describeConfig('ingest', config));
  logger.info({ context }, `Ingest listens at ${ingest.url}.`);
  return async () => {
    await ingest.stop();
    await metrics.close();
  };
});
