import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@holdfast/testing';
import { say } from '../system-load/load-stage';
import type { Entry } from '../ledger-faults/ledger-client';
import { comparable, ledgerTenant, Scene } from '../ledger-faults/scene';
import type { EarlierRelease } from './earlier-release';
import { LedgerReceiver } from './ledger-receiver';
import { PaymentTraffic } from './payment-traffic';
import { StuckPayments } from './stuck-payments';
import { CURRENT, type Slot, UpdateStage, type Version } from './update-stage';

/** What was sent while something went on. */
export interface Window {
  readonly name: string;
  readonly entries: readonly Entry[];
  /** Whether fewer processes start and end in it than in the first, which the time of its answers is compared with. */
  readonly isCompared: boolean;
}

/** One update under load, from the old release alone to the new one alone. */
export interface Update {
  readonly old: Version;
  /** Migrations that it does not have. */
  readonly missing: number;
  readonly knowsPayments: boolean;
  /** Whether its definition of a payment is another than that of the new release. */
  readonly definesOtherwise: boolean;
  readonly stage: UpdateStage;
  readonly scene: Scene<UpdateStage>;
  readonly payments: PaymentTraffic<Slot>;
  readonly receiver: LedgerReceiver;
  readonly random: Random;
  readonly windows: Window[];
}

const WINDOW_MS = 6_000;
const REPEATED = 40;
/** Payments that are under way while their release ends. Each waits for a lock with a connection. */
const IN_FLIGHT = 3;
/** Some looks of a worker for what is due: what it may take up, it has. */
const LEFT_ALONE_MS = 3_000;

/** Starts the servers and the old release, and makes tenants. */
export async function openUpdate(
  release: EarlierRelease,
  seed: number,
  { knowsPayments, revision }: { readonly knowsPayments: boolean; readonly revision?: number },
): Promise<Update> {
  const old: Version = { name: 'old', program: release.program };
  const stage = await UpdateStage.open(old);
  const scene = await Scene.open(stage, seed);
  const parties = [await ledgerTenant(stage), await ledgerTenant(stage)] as const;
  const random = new Random(seed);
  const versions = new Set<Version['name']>(knowsPayments ? ['old', 'new'] : ['new']);
  const payments = new PaymentTraffic(stage.apis, parties, random, ({ version }) => versions.has(version));
  const receiver = await LedgerReceiver.open(stage, scene.tenants[0]);
  const missing = release.migrationsMissing();
  const definesOtherwise = revision !== undefined;
  return {
    ...{ old, missing, knowsPayments, definesOtherwise, stage, scene, payments, receiver, random },
    windows: [],
  };
}

/** Ends all processes and servers. */
export async function closeUpdate({ stage, scene, payments, receiver }: Update): Promise<void> {
  await Promise.all([scene.traffic.stop(), payments.stop()]);
  await stage.close();
  await receiver.close();
}

/** Migrates and replaces process by process, while clients go on. */
export async function playUpdate(update: Update): Promise<void> {
  const { stage, old, scene, payments } = update;
  scene.traffic.start();
  payments.start();
  // What processes cost that start beside them is not the schema's: the release begins one anew, and migrates what it has.
  await during(update, 'the old release, restarted', async () => {
    await migrate(update, old);
    await stage.replace(1, old);
    await sleep(WINDOW_MS);
  });
  await during(update, 'the migration', () => migrate(update, CURRENT));
  await during(update, 'the old release, restarted beside the new schema', async () => {
    await stage.replace(1, old);
    await sleep(WINDOW_MS);
  });
  const start = (): Promise<unknown> => Promise.all([stage.replace(0, CURRENT), stage.startWorker(CURRENT)]);
  await during(update, 'the start of the new release', start, false);
  await during(update, 'both', async () => {
    await sleep(WINDOW_MS);
    await repeatAcross(update);
  });
  await during(update, 'the end of the old release', () => endOld(update), false);
  await during(update, 'the new release', () => sleep(WINDOW_MS));
  await payments.stop();
}

async function during(
  { scene, payments, windows }: Update,
  name: string,
  work: () => Promise<unknown>,
  isCompared = true,
): Promise<void> {
  const journals = [scene.clients.journal, payments.clients.journal];
  const from = journals.map((journal) => journal.length);
  await work();
  windows.push({ name, entries: journals.flatMap((journal, n) => journal.slice(from[n])), isCompared });
}

async function migrate({ stage, missing }: Update, version: Version): Promise<void> {
  const stopped = new AbortController();
  const longestMs = stage.watchLocks(stopped.signal);
  const startedAtMs = performance.now();
  const { code, stdout, stderr } = await stage.run(version, 'migrate');
  const tookMs = performance.now() - startedAtMs;
  stopped.abort();
  expect([code, stderr]).toEqual([0, '']);
  const count = stdout.split('\n').filter((line) => line.startsWith('  ')).length;
  if (version === CURRENT) expect(count).toBeGreaterThanOrEqual(missing);
  say(
    `  ${count} migrations in ${tookMs.toFixed(0)} ms; the longest wait behind them for a table took ${(await longestMs).toFixed(0)} ms`,
  );
}

/** What one version has answered, the other one answers as well. */
async function repeatAcross({ scene: { clients }, random }: Update): Promise<void> {
  const answered = clients.journal.filter(({ answer, key }) => answer.status > 0 && key !== undefined);
  for (let n = 0; n < REPEATED; n += 1) {
    const entry = random.pick(answered);
    for (const api of [0, 1])
      expect(comparable(await clients.repeat(entry, api))).toEqual(comparable(entry.answer));
  }
}

/** Ends the old processes, with payments of theirs under way where they know them. */
async function endOld({ stage, old, payments, knowsPayments, definesOtherwise }: Update): Promise<void> {
  let stuck: StuckPayments | undefined;
  await stage.replace(1, CURRENT, async () => {
    if (knowsPayments) stuck = await StuckPayments.begin(stage, payments, IN_FLIGHT);
  });
  await stage.stopWorker(old);
  if (!stuck) return;
  expect(await stuck.open()).toBe(IN_FLIGHT);
  await stuck.release();
  if (definesOtherwise) {
    // As the runbook has it: whoever has the definition ends them, and nobody else.
    await sleep(LEFT_ALONE_MS);
    expect(await stuck.open()).toBe(IN_FLIGHT);
    const unknown = /^holdfast_sagas_open\{.*saga="payments\.payment".*known="false"/;
    expect(await stage.metricOfWorker(CURRENT, unknown)).toBe(IN_FLIGHT);
    await stage.startWorker(old);
  }
  await stuck.ended();
  say(`  ${IN_FLIGHT} payments were under way at the end of the old release, and have ended`);
  if (definesOtherwise) await stage.stopWorker(old);
}
