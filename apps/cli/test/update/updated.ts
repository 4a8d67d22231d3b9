import { percentile } from '../system-load/api-load';
import { say } from '../system-load/load-stage';
import { type Entry, tookText } from '../ledger-faults/ledger-client';
import { settle } from '../ledger-faults/scene';
import { expectDelivered } from './ledger-receiver';
import type { Update, Window } from './rolling-update';
import { CURRENT } from './update-stage';

/** Holds all that was said in an update against what is there, and prints what it was. */
export async function expectUpdated(update: Update): Promise<void> {
  const { scene, payments, receiver, windows, random, stage } = update;
  for (const { name, entries } of windows) say(`  ${name}: ${entries.length} requests, ${tookText(entries)}`);
  say(`  ${await settle(scene, random)}`);
  expect(windows.flatMap(({ entries }) => entries.filter(isError))).toEqual([]);
  expectQuick(windows);
  const paid = await payments.outcomes();
  say(`  payments: ${JSON.stringify(paid)}`);
  const { completed = 0, compensated = 0, failed = 0, ...others } = paid;
  expect([completed > 10, compensated + failed > 0, others]).toEqual([true, true, {}]);
  expect(payments.clients.offences).toEqual([]);
  expect([...payments.unsettled]).toEqual([]);
  say(`  ${await expectDelivered(receiver)}`);
  await expectVerified(/^[1-9]\d* ledgers, [1-9]\d* rows, 0 breaks: sound\.$/m, 'ledger', 'verify', '--full');
  await expectVerified(/^[1-9]\d* logs, [1-9]\d* events, 0 findings: intact\.$/m, 'audit', 'verify');
  const { stdout } = await stage.run(CURRENT, 'saga', 'list', '--json');
  expect(JSON.parse(stdout)).toEqual([]);

  async function expectVerified(said: RegExp, ...verb: readonly string[]): Promise<void> {
    const verified = await stage.run(CURRENT, ...verb);
    say(`  ${verb.join(' ')}: ${verified.stdout.trimEnd()}`);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringMatching(said)]);
  }
}

function isError({ answer: { status } }: Entry): boolean {
  return status === 0 || status >= 500 || [401, 403, 429].includes(status);
}

/** Answers take at most twice the time that they took of the old release, where one of its processes was begun anew. */
function expectQuick(windows: readonly Window[]): void {
  const [before = Number.NaN, ...others] = windows
    .filter(({ isCompared }) => isCompared)
    .map(({ entries }) =>
      percentile(
        entries.map(({ sentAtMs, heardAtMs }) => heardAtMs - sentAtMs),
        0.99,
      ),
    );
  expect({ before, slow: others.filter((p99) => !(p99 < 2 * before)) }).toEqual({ before, slow: [] });
}
