import { configOrExit, describeConfig } from '@holdfast/config';
import { createLogger, startMetricsServer, stopOnSignal } from '@holdfast/observability';
import { startIngest } from './ingest';

/** The ingest process: configuration, then the server, until a signal asks it to stop. */
async function main(): Promise<void> {
  const config = configOrExit('ingest');
  const logger = createLogger({ app: 'ingest', level: config.logLevel });
  const ingest = await startIngest(config);
  const metrics = await startMetricsServer({
    host: config.host,
    port: config.metricsPort,
    health: ingest.health,
  });
  logger.info(
    { context: JSON.stringify(describeConfig('ingest', config)) },
    `Ingest listens at ${ingest.url}.`,
  );
  const stop = async (): Promise<void> => {
    await ingest.stop();
    await metrics.close();
  };
  stopOnSignal(stop, logger);
}

void main();
