/** A terminal and npm may each pass the same Ctrl-C on: what comes within this time is one wish. */
const SAME_WISH_MS = 500;
/** Requests finish within their 10 s deadlines; a stop that takes longer hangs. */
const STOP_MAX_MS = 20_000;
/** 128 and the number of SIGINT, as shells count. */
const FORCED_EXIT_CODE = 130;

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. The first aborts the answered signal: whoever runs then stops in order. A second
 * wish, or a stop that takes too long, ends the process at once.
 */
export function listenForStop(): AbortSignal {
  const stop = new AbortController();
  let firstAtMs = 0;
  const end = (why: string): never => {
    process.stderr.write(`${why}\n`);
    process.exit(FORCED_EXIT_CODE);
  };
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (stop.signal.aborted) {
      if (nowMs - firstAtMs > SAME_WISH_MS) end('Stopped at once. The next start recovers the data.');
      return;
    }
    firstAtMs = nowMs;
    process.stderr.write('\nStopping (once more to force it) …\n');
    setTimeout(() => end('The stop took too long and was forced.'), STOP_MAX_MS).unref();
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return stop.signal;
}
