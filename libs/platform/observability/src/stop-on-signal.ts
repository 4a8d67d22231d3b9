import type { Logger } from './logger';

/** Under the 30 s after which Kubernetes kills what it has asked to end. */
const STOP_TIMEOUT_MS = 25_000;

/**
 * Ends the process in good order when SIGINT or SIGTERM asks for it: runs `stop` once and lets the process end by itself.
 * A stop that fails or takes longer than `timeoutMs` is logged and ends it with exit code 1.
 */
export function stopOnSignal(stop: () => Promise<void>, logger: Logger, timeoutMs = STOP_TIMEOUT_MS): void {
  const end = (error: unknown): void => {
    logger.error({ err: error }, 'The process could not stop in good order and ends at once.');
    process.exit(1);
  };
  const onSignal = (): void => {
    setTimeout(() => end(new Error('the stop took too long')), timeoutMs).unref();
    stop().then(() => logger.info('The process has stopped.'), end);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
}
