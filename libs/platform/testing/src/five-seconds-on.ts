/**
 * Does something as of five seconds from now, by the clock of this process: for so long a process may trust what it knows of grants. Not twice
 * for one such process, which by then has looked at an instant that is still to come.
 */
export async function fiveSecondsOn<T>(work: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now.call(Date) + 5_001;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}
