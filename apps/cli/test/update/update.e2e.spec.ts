import { say } from '../system-load/load-stage';
import { EarlierRelease } from './earlier-release';
import { closeUpdate, openUpdate, playUpdate, type Update } from './rolling-update';
import { expectUpdated } from './updated';

/** A release that is updated to today's. */
interface Earlier {
  readonly name: string;
  /** It is the last commit that did not have this. */
  readonly without: string;
  readonly knowsPayments: boolean;
  /** Its definition of a payment is of this revision, which today's release does not have. */
  readonly revision?: number;
}

const BANK = 'libs/modules/payments/src/bank/bank-payment.saga.ts';
const RELEASES: readonly Earlier[] = [
  {
    name: 'before sagas',
    without: 'prisma/migrations/20261127002000_create_sagas',
    knowsPayments: false,
  },
  { name: 'with payments', without: BANK, knowsPayments: true },
  { name: 'with another definition of a payment', without: BANK, knowsPayments: true, revision: 7 },
];

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
const seed = Number(process.env['HOLDFAST_FAULT_SEED'] ?? Date.now() % 1_000_000);
/** A build, servers and a dozen starts of processes, on a machine that others use. */
const TIMEOUT_MS = 900_000;

// Row 14 of the faults: two versions on one schema, and a migration under load. Each takes a minute and more.
(isLong ? describe : describe.skip).each(RELEASES)('An update from the release $name', (earlier) => {
  const commit = isLong ? EarlierRelease.commitWithout(earlier.without) : undefined;
  if (isLong && !commit)
    say(`Skipped: the update from the release ${earlier.name} (its commit is not here).`);
  let release: EarlierRelease | undefined;
  let update: Update | undefined;
  beforeAll(async () => {
    if (!commit) return;
    release = EarlierRelease.build(commit, editsOf(earlier));
    update = await openUpdate(release, seed, earlier);
  }, TIMEOUT_MS);
  afterAll(async () => {
    if (update) await closeUpdate(update);
    release?.remove();
  }, TIMEOUT_MS);

  (commit ? it : it.skip)(
    'fails no request, loses and doubles nothing, and ends what was begun',
    async () => {
      say(`seed ${seed}, ${earlier.name} (${commit?.slice(0, 9)})`);
      if (!update) throw new Error('there is no stage');
      await playUpdate(update);
      await expectUpdated(update);
    },
    TIMEOUT_MS,
  );
});

function editsOf({ revision }: Earlier): Parameters<typeof EarlierRelease.build>[1] {
  const [from, to] = ["name: 'payments.payment',", `name: 'payments.payment', revision: ${revision},`];
  return revision === undefined ? [] : [{ file: 'libs/modules/payments/src/payment.saga.ts', from, to }];
}
