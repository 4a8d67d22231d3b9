import { configOrExit, describeConfig, version } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger, runProcess } from '@holdfast/observability';
import { configurePolicies } from '@holdfast/resilience';
import { startApi } from './api';

/** Kubernetes takes a pod out of its services within a few seconds of readiness failing; 5 s covers its default probe. */
const DRAIN_MS = 5_000;

const config = configOrExit('api');
configurePolicies(config.policies);
const logger = createLogger({ app: 'api', level: config.logLevel });

/** The API process: configuration, then the server, until a signal asks it to stop. */
void runProcess(logger, async () => {
  const telemetry = new TelemetryStore({ url: config.clickhouseUrl });
  const api = await startApi(config, {
    logger,
    telemetry,
    version: version(),
    graphiql: config.nodeEnv !== 'production',
    serveMetrics: true,
    drainMs: DRAIN_MS,
  });
  logger.info({ context: JSON.stringify(describeConfig('api', config)) }, `The API listens at ${api.url}.`);
  return async () => {
    await api.stop();
    await telemetry.close();
  };
});
