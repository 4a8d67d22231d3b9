import { configOrExit } from '@holdfast/config';
import { createLogger, runProcess } from '@holdfast/observability';
import { TelemetryStore } from '@holdfast/telemetry';
import { startWorker } from '../../src/worker';
import { EffectsConsumer } from './effects-consumer';

const config = configOrExit('worker');
const logger = createLogger({ app: 'worker', level: config.logLevel });

/** The worker process as `holdfast worker` runs it, with the group that the suites of faults look at besides its own. */
void runProcess(logger, async () => {
  const telemetry = new TelemetryStore({ url: config.clickhouseUrl });
  const effects = new EffectsConsumer(Number(process.argv[2] ?? 0), Number(process.argv[3] ?? 0));
  const worker = await startWorker(config, {
    logger,
    telemetry,
    serveMetrics: true,
    consumers: [effects],
  });
  // A test that dies takes its workers with it: their standard input ends.
  process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGKILL'));
  return async () => {
    process.stdin.destroy();
    await worker.stop();
    await telemetry.close();
  };
});
