import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Books, booksText, unaccounted } from './books';
import { outcomeText, say, Scene } from './scene';

const SETTLED_WITHIN_MS = 60_000;

// Guards promise 7 and row 1 of the faults: what ends the process costs at most what was in memory.
describe('Ingest that ends under load', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  /** Sends with the store away until something was spilled, and kills ingest: answers what it had told, and the journal. */
  const killWhileSpilling = async (tenant = scene.tenant()): Promise<Killed> => {
    const ingest = await scene.start();
    await scene.store.kill();
    const load = scene.send([tenant], { seconds: 20 });
    const deadline = Date.now() + 15_000;
    let told = await ingest.books();
    const spilled = new Set([0]);
    while ((told.spilled < 500 || spilled.size < 4) && Date.now() < deadline) {
      await sleep(20);
      told = await ingest.books();
      spilled.add(told.spilled);
    }
    ingest.signal('SIGKILL');
    expect(await ingest.gone).toBe('SIGKILL');
    load.stop();
    const { acknowledged, unknown, ...outcome } = await load.outcome;
    say(`killed: ${booksText(told)}`, outcomeText({ ...outcome, acknowledged, unknown }));
    // The fault has landed: something was on disk, and requests were under way.
    expect([told.spilled >= 500, unknown.length > 0]).toEqual([true, true]);
    return { run: load.run, acknowledged, unknown, told, spilled: [...spilled] };
  };

  const storedAfterRestart = async ({ run, acknowledged, unknown }: Killed): Promise<string[]> => {
    const ingest = await scene.start();
    const restarted = await ingest.books();
    await scene.store.resume();
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    const stored = await scene.store.idsOf(run);
    const sent = new Set([...acknowledged, ...unknown]);
    const there = new Set(stored);
    say(
      `restarted: ${booksText(restarted)}`,
      `behind it: ${booksText(books)}`,
      `${acknowledged.length} acknowledged, ${acknowledged.filter((id) => !there.has(id)).length} of them lost`,
    );
    expect([unaccounted(restarted), unaccounted(books)]).toEqual([0, 0]);
    expect(there.size).toBe(stored.length);
    expect(stored.filter((id) => !sent.has(id))).toEqual([]);
    expect(books).toMatchObject({ stored: stored.length, recovered: stored.length });
    return stored;
  };

  /** What the tenant reads of its events, once both have ended, over all processes. */
  const toldOf = async (tenantId: string): Promise<Readonly<Record<string, number>>> => {
    const rows = await scene.store.rows<{ outcome: string; sum: string }>(
      'select outcome, sum(events) as sum from telemetry.ingest_minutes where tenant_id = {tenant:UUID} group by outcome',
      { tenant: tenantId },
    );
    const sums = rows.map(({ outcome, sum }) => [outcome, Number(sum)] as const);
    // What has never been told of is nothing.
    return { in_flight: 0, spilled: 0, dropped: 0, ...Object.fromEntries(sums) };
  };

  it('by kill -9 loses at most what was in memory, and nothing of what another one took', async () => {
    const tenant = scene.tenant();
    const other = await scene.startBeside();
    const beside = scene.send([tenant], { seconds: 60, port: other.port, perSecond: 30 });
    const killed = await killWhileSpilling(tenant);
    const stored = await storedAfterRestart(killed);
    beside.stop();
    const outcome = await beside.outcome;
    const books = await other.settled(SETTLED_WITHIN_MS);
    say(`beside it: ${outcomeText(outcome)}`, booksText(books));
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect(unaccounted(books)).toBe(0);
    expect(await scene.store.idsOf(beside.run)).toEqual(outcome.acknowledged.toSorted());
    scene.ingest.signal('SIGTERM');
    other.signal('SIGTERM');
    expect([await scene.ingest.gone, await other.gone]).toEqual([0, 0]);
    const told = await toldOf(tenant.tenantId);
    // Of the one that was killed the tenant reads what was found on its disk.
    expect(told).toMatchObject({
      received: outcome.acknowledged.length,
      recovered: stored.length,
      stored: outcome.acknowledged.length + stored.length,
      in_flight: 0,
      spilled: 0,
      dropped: 0,
    });
    expect(stored.length).toBeGreaterThanOrEqual(killed.spilled.at(-1) ?? 0);
    const there = new Set(stored);
    const lost = killed.acknowledged.filter((id) => !there.has(id)).length;
    // What came between the last scrape and the kill was in memory as well, if it was not spilled.
    const sent = killed.acknowledged.length + killed.unknown.length;
    const inMemoryMax = killed.told.inFlight + sent - killed.told.received;
    say(`${lost} lost, ${inMemoryMax} in memory at most`);
    expect(lost).toBeLessThanOrEqual(inMemoryMax);
    expect(inMemoryMax).toBeLessThan(sent);
  });

  it('by kill -9 with its last segment torn has everything in front of the tear', async () => {
    const killed = await killWhileSpilling();
    const torn = newestSegment(scene.ingestDirectory);
    truncateSync(torn, statSync(torn).size - 7);
    const stored = await storedAfterRestart(killed);
    // The frame that is torn is the last; those that were there before it are whole.
    expect(stored.length).toBeGreaterThanOrEqual(killed.spilled.at(-2) ?? 0);
    expect(stored.length).toBeGreaterThan(0);
  });

  it.each([
    ['while its store is there', true],
    ['while its store is away', false],
  ])('by SIGTERM %s loses nothing that it acknowledged', async (_when, isThere) => {
    const ingest = await scene.start();
    const load = scene.send([scene.tenant()], { seconds: 20 });
    await sleep(1_000);
    if (!isThere) await scene.store.kill();
    await sleep(500);
    ingest.signal('SIGTERM');
    expect(await ingest.gone).toBe(0);
    load.stop();
    const { acknowledged, unknown } = await load.outcome;
    expect(unknown.length).toBeGreaterThan(0);
    if (!isThere) await scene.store.resume();
    const next = await scene.start();
    const books = await next.settled(SETTLED_WITHIN_MS);
    const stored = await scene.store.idsOf(load.run);
    say(`stopped ${_when}: ${acknowledged.length} acknowledged, ${stored.length} stored`, booksText(books));
    const there = new Set(stored);
    const sent = new Set([...acknowledged, ...unknown]);
    expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
    expect(stored.filter((id) => !sent.has(id))).toEqual([]);
    expect(there.size).toBe(stored.length);
  });
});

interface Killed {
  readonly run: string;
  readonly acknowledged: readonly string[];
  readonly unknown: readonly string[];
  /** The last books before the kill. */
  readonly told: Books;
  /** Rows on disk, whenever there were more: 0 first. */
  readonly spilled: readonly number[];
}

function newestSegment(directory: string): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size > 7 && !file.includes('key'));
  const newest = files.toSorted((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs)[0];
  if (newest === undefined) throw new Error('nothing was spilled');
  return newest;
}
