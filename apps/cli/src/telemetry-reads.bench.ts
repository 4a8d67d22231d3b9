import { RollUps, TelemetryStore } from '@holdfast/clickhouse';
import { startBenchApi } from './bench-api';
import type { BenchSystem } from './bench-system';
import { INSERT_MADE, piecesOf } from './made-telemetry';

const EVENTS = 10_000_000;
const DAYS = 30;
const DAY_MS = 86_400_000;
/** Reads of each shape: with twenty the second slowest is the 95th percentile. */
const READS = 20;
/** What 95 in 100 reads of a shape shall take at most. */
const P95_MAX_MS = 200;

/** One question, and how long it took to answer: over HTTP, one at a time; and the CPU of the whole process, store included. */
interface Figure {
  readonly title: string;
  readonly latenciesMs: readonly number[];
  readonly cpuMs: number;
}

/**
 * Reads of one tenant with ten million events of thirty days, beside nineteen others, through the API and from the store as
 * `holdfast dev` starts it.
 */
export async function benchTelemetryReads(system: BenchSystem): Promise<string> {
  const store = new TelemetryStore({ url: system.clickhouseUrl });
  await store.migrate();
  await store.close();
  const api = await startBenchApi(system, 4);
  try {
    const endMs = Date.now();
    const inserting = await costOf(() => insertRows(system.clickhouseUrl, api.id, endMs));
    const rolling = await costOf(() => rollUp(system.clickhouseUrl));
    const figures: Figure[] = [];
    for (const [title, path] of questions(endMs)) figures.push(await measure(title, () => api.ask(path)));
    const scans: Figure[] = [];
    for (const [title, statement] of BARE_SCANS)
      scans.push(await measure(title, () => send(system.clickhouseUrl, statement, { tenant: api.id }), 3));
    const perMillion = (seconds: number): string => (seconds / (EVENTS / 1e6)).toFixed(1);
    return [
      `CPU seconds a million events: made and inserted ${perMillion(inserting)}, rolled up ${perMillion(rolling)}`,
      `bytes an event: ${await bytesOf(system.clickhouseUrl)}`,
      `p50, p95 and p99 in ms, CPU of a read, and whether the p95 is under ${P95_MAX_MS} ms:`,
      ...figures.map((figure) => `${lineOf(figure)}   ${isMet(figure) ? 'met' : 'MISSED'}`),
      ...scans.map(lineOf),
      `${figures.filter(isMet).length} of ${figures.length} shapes have met ${P95_MAX_MS} ms`,
    ].join('\n');
  } finally {
    await api.stop();
  }
}

async function insertRows(url: string, tenantId: string, endMs: number): Promise<void> {
  const made = { tenantId, events: EVENTS, beginMs: endMs - DAYS * DAY_MS, endMs };
  for (let place = 0; place < DAYS * 12; place += 1)
    for (const copy of [0, 1] as const)
      await send(url, INSERT_MADE, piecesOf({ ...made, place, pieces: DAYS * 12, copy }));
}

async function rollUp(url: string): Promise<void> {
  // Of runs that start by themselves, of which there are none here.
  const rollUps = new RollUps({ url }, { onError: () => {} });
  try {
    await rollUps.run();
  } finally {
    await rollUps.stop();
  }
}

/** What people ask, over an hour, a day, a week and a month. */
function questions(endMs: number): [title: string, path: string][] {
  const ranges = { hour: DAY_MS / 24, day: DAY_MS, week: 7 * DAY_MS, month: DAYS * DAY_MS };
  const asked: Readonly<Record<string, string>> = {
    'events, a page': 'events?limit=50',
    'events of one name': 'events?limit=50&type=Event%207',
    'events of the busiest user': 'events?limit=50&user=user-000001',
    'events of a user in the middle': 'events?limit=50&user=user-000921',
    'events of a rare user': 'events?limit=50&user=user-054321',
    'series by hour': 'series?event=Event%201&interval=hour',
    'unique users by day': 'users?interval=day',
    'unique users by hour': 'users?interval=hour',
    'unique users of one name': 'users?interval=day&event=Event%201',
    'top names': 'top?by=name',
    'top users': 'top?by=user',
    'top groups': 'top?by=group',
    'top of a property with 3 values': 'top?by=properties.plan',
    'top of a property with 500 values': 'top?by=properties.path',
    'the same of one name': 'top?by=properties.path&event=Event%202',
    'funnel of two steps': 'funnels?steps=Event%205,Event%2010',
    'funnel of the three busiest names': 'funnels?steps=Event%201,Event%202,Event%203',
  };
  const to = new Date(endMs).toISOString();
  return Object.entries(ranges).flatMap(([range, ms]) =>
    Object.entries(asked).map(([title, path]): [string, string] => [
      `${title}, ${range}`,
      `/v1/telemetry/${path}&from=${new Date(endMs - ms).toISOString()}&to=${to}`,
    ]),
  );
}

/** What ClickHouse takes for the rows alone, with copies and without. */
const BARE_SCANS: readonly (readonly [title: string, statement: string])[] = [
  [
    'bare scan: unique users, copies and all',
    'select uniqExact(distinct_id) from telemetry.tracked where tenant_id = {tenant:UUID}',
  ],
  [
    'bare scan: unique users, final',
    'select uniqExact(distinct_id) from telemetry.tracked final where tenant_id = {tenant:UUID}',
  ],
  [
    'bare scan: a funnel of the three busiest names, copies and all',
    `select countIf(level > 2) from (
       select user_hash, windowFunnel(86400000)(toUInt64(toUnixTimestamp64Milli(at)), name = 'Event 1', name = 'Event 2', name = 'Event 3') as level
       from telemetry.tracked
       where tenant_id = {tenant:UUID} and name in ('Event 1', 'Event 2', 'Event 3')
       group by user_hash)`,
  ],
  [
    'bare scan: a property, copies and all',
    "select topK(10)(JSONExtractString(properties, 'plan')) from telemetry.tracked where tenant_id = {tenant:UUID}",
  ],
];

async function measure(title: string, ask: () => Promise<unknown>, reads = READS): Promise<Figure> {
  // The first one reads from the disk what the others find in memory.
  await ask();
  const before = process.cpuUsage();
  const latenciesMs: number[] = [];
  for (let read = 0; read < reads; read += 1) {
    const begun = performance.now();
    await ask();
    latenciesMs.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(before);
  return {
    title,
    latenciesMs: latenciesMs.toSorted((one, other) => one - other),
    cpuMs: (user + system) / 1_000 / reads,
  };
}

function quantileOf({ latenciesMs }: Figure, part: number): number {
  return latenciesMs[Math.ceil(latenciesMs.length * part) - 1] ?? 0;
}

function isMet(figure: Figure): boolean {
  return quantileOf(figure, 0.95) < P95_MAX_MS;
}

function lineOf(figure: Figure): string {
  const { title, cpuMs } = figure;
  const quantile = (part: number): string => quantileOf(figure, part).toFixed(0).padStart(7);
  return `  ${title.padEnd(48)}${quantile(0.5)}${quantile(0.95)}${quantile(0.99)}   CPU ${cpuMs.toFixed(0).padStart(5)}`;
}

async function costOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function bytesOf(url: string): Promise<string> {
  const text = await send(
    url,
    `select table, round(sum(bytes_on_disk) / {events:UInt64}, 1) from system.parts where active and database = 'telemetry' group by table
      having sum(rows) > 1000 order by table limit 20`,
    { events: String(EVENTS) },
  );
  return text.trim().replaceAll('\t', ' ').replaceAll('\n', ', ');
}

/** A statement over ClickHouse's HTTP interface. */
async function send(url: string, statement: string, parameters: Record<string, string>): Promise<string> {
  const { origin, username, password } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) search.set(`param_${name}`, value);
  const answer = await fetch(`${origin}/?${search.toString()}`, {
    method: 'POST',
    headers: { authorization },
    body: statement,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}
