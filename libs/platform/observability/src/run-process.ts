import type { Logger } from './logger';

/**
 * An API takes 5 s until balancers have noticed and 10 s for what is under way; a worker 8 s for its page. Kubernetes
 * kills after 30 s, and would not say why.
 */
const STOP_TIMEOUT_MS = 25_000;

/** What has been started, as far as its process cares: how it stops in good order. */
export type Stop = () => Promise<void>;

/**
 * Runs a process: starts it, and stops it once when SIGINT or SIGTERM asks. Exit code 0 after a stop in good order; 1 when it
 * could not start, or its stop failed or took longer than 25 s. The reason is in the log, without a stack of ours on the
 * terminal.
 */
export async function runProcess(logger: Logger, start: () => Promise<Stop>): Promise<void> {
  try {
    const stop = await start();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(stop, logger));
  } catch (error) {
    fail(logger, error, 'The process could not start.');
  }
}

async function end(stop: Stop, logger: Logger): Promise<void> {
  // Keeps nothing alive: it fires only in a process that something else keeps.
  setTimeout(
    () => fail(logger, undefined, 'The process did not stop in time and ends at once.'),
    STOP_TIMEOUT_MS,
  ).unref();
  try {
    await stop();
    logger.info('The process has stopped.');
  } catch (error) {
    fail(logger, error, 'The process failed to stop in good order.');
  }
}

function fail(logger: Logger, error: unknown, message: string): never {
  logger.fatal({ err: error }, message);
  process.exit(1);
}
