import { randomInt } from 'node:crypto';
import { Random } from '@holdfast/testing';
import { expectNoticed } from './breaks';
import { CONTENTION } from './contention';
import { CRASHES } from './crashes';
import { EXHAUSTION } from './exhaustion';
import { HOSTILE_AMOUNTS } from './hostile-amounts';
import { NETWORK_FAULTS } from './network-faults';
import { until } from './postgres-pair';
import { REPEATED_KEYS } from './repeated-keys';
import type { Row } from './row';
import { Scene, settle } from './scene';
import { Stage } from './stage';
import { STANDBY_FAULTS } from './standby-faults';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** Of each row. */
const COUNT = Number(process.env['HOLDFAST_FAULT_SEEDS'] ?? (isLong ? 20 : 1));
/** The short run plays the same seeds each time, so that a failure of it is one of the change; the long run plays others. */
const FIRST = Number(process.env['HOLDFAST_FAULT_SEED'] ?? (isLong ? randomInt(2 ** 30) : 1));
const SEEDS = process.env['HOLDFAST_FAULT_SEED'] && !process.env['HOLDFAST_FAULT_SEEDS'] ? 1 : COUNT;

/** One that is named is played again, whatever it is. */
const playsAll = isLong || process.env['HOLDFAST_FAULT_SEED'] !== undefined;
const ROWS: readonly Row[] = [
  ...CRASHES,
  ...STANDBY_FAULTS,
  ...NETWORK_FAULTS,
  ...EXHAUSTION,
  ...CONTENTION,
  ...HOSTILE_AMOUNTS,
  ...REPEATED_KEYS,
].filter(({ isLongOnly = false }) => playsAll || !isLongOnly);

// Several starts of processes, each of which takes a minute on a machine under load.
jest.setTimeout(400_000);

/** All rows before the next seed, so that a run that is ended early has had some of each. */
const PLAYS = Array.from({ length: SEEDS }, (_, n) => FIRST + n).flatMap((seed) =>
  ROWS.map((row) => [row.row, row.name, seed, row] as const),
);

// Guards promises 2 and 3: whatever dies, stops, is lost or is asked for, no money is made, lost or moved twice.
describe('Under faults, the ledger keeps what it has acknowledged and does nothing else', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it('has an oracle that notices what would be wrong', async () => {
    const scene = await Scene.open(stage, FIRST);
    scene.traffic.start();
    await until('the load', () => scene.clients.journal.length > 200);
    await settle(scene, new Random(FIRST));
    await expectNoticed(scene);
  });

  it.each(PLAYS)('row %i: %s (seed %i)', async (number, name, seed, row) => {
    const print = (text: string): boolean =>
      process.stdout.write(`row ${number}, seed ${seed}: ${name}: ${text}\n`);
    const random = new Random(seed);
    const scene = await Scene.open(stage, seed);
    try {
      scene.traffic.start();
      const landed = await row.strike(scene, random);
      print(`${landed}; ${await settle(scene, random)}`);
    } catch (error) {
      // At once: Jest tells of failures when all seeds are through.
      print(
        `FAILED: ${String(error)}. Replay: HOLDFAST_FAULT_SEED=${seed} npx jest ledger-faults -t '${name}'`,
      );
      await scene.traffic.stop();
      throw error;
    }
  });
});
