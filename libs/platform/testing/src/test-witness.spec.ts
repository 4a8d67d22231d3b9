import { createHash } from 'node:crypto';
import {
  formatCheckpoint,
  formatVerifierKey,
  generateSignerKey,
  leafHash,
  offerCheckpoint,
  type OfferOutcome,
  openCheckpoint,
  parseVerifierKey,
  signNote,
} from '@holdfast/tlog';
import { TestWitness } from './test-witness';

const log = generateSignerKey('example.com/log');
const checkpoint = signNote(formatCheckpoint({ origin: log.name, size: 1, root: leafHash('one') }), [log]);

async function post(url: string, body: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(url, { method: 'POST', body });
  return { status: answer.status, body: await answer.text() };
}

describe('A witness over HTTP', () => {
  let witness: TestWitness;

  beforeEach(async () => (witness = await TestWitness.start()));
  afterEach(async () => await witness.stop());

  const offer = async (): Promise<OfferOutcome> =>
    await offerCheckpoint(
      post,
      { url: witness.url, keys: [parseVerifierKey(witness.verifierKey)] },
      {
        checkpoint,
        knownSize: 0,
        proofFrom: async () => await Promise.resolve([]),
      },
    );

  test('cosigns for a log that it was told to trust, and shows what it cosigned', async () => {
    expect(await offer()).toMatchObject({ outcome: 'refused', status: 404 });
    witness.trust(log.name, formatVerifierKey(log));
    expect(await offer()).toMatchObject({ outcome: 'cosigned' });
    const originHash = createHash('sha256').update(log.name).digest('hex');
    const shown = await (await fetch(`${witness.url}/${originHash}/checkpoint`)).text();
    const keys = [parseVerifierKey(witness.verifierKey)];
    expect(
      openCheckpoint(shown, { origin: log.name, logKeys: [log], witnesses: { keys, quorum: 1 } }).size,
    ).toBe(1n);
    expect(witness.answered).toEqual([
      'POST /add-checkpoint 404',
      'POST /add-checkpoint 200',
      `GET /${originHash}/checkpoint 200`,
    ]);
  });

  test('tells its size to a log that does not know', async () => {
    witness.trust(log.name, formatVerifierKey(log));
    await offer();
    const answer = await fetch(`${witness.url}/add-checkpoint`, {
      method: 'POST',
      body: `old 0\n\n${checkpoint}`,
    });
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      409,
      'text/x.tlog.size',
      '1\n',
    ]);
    expect(await offer()).toMatchObject({ outcome: 'cosigned' });
  });

  test('can be broken', async () => {
    witness.trust(log.name, formatVerifierKey(log));
    witness.isBroken = true;
    expect(await offer()).toMatchObject({ outcome: 'refused', status: 500 });
  });
});
