/**
 * Runs `work` again and again, so many at a time, for so many seconds behind a warm-up; answers how many a second have ended and their
 * latencies. The parent asks over the process's channel, and is told when the program can be asked.
 */
export function serve(work) {
  const measure = async ({ failing, seconds, inFlight }) => {
    const latencies = [];
    const startsAt = performance.now() + 1_000;
    const endsAt = startsAt + seconds * 1_000;
    const lane = async () => {
      while (performance.now() < endsAt) {
        const began = performance.now();
        await work(failing);
        const ended = performance.now();
        if (began >= startsAt && ended < endsAt) latencies.push(ended - began);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    latencies.sort((one, other) => one - other);
    const at = (part) => latencies[Math.floor((latencies.length - 1) * part)] ?? 0;
    process.send({ perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) });
  };
  process.on('message', (load) => void measure(load));
  process.send('ready');
}
