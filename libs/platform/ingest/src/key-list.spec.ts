import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { createLogger, metricsText } from '@holdfast/observability';
import { Policy } from '@holdfast/resilience';
import { newSigner } from '../test/new-signer';
import { KeyList } from './key-list';
import { type KeyListContents, signKeyList } from './key-list-text';
import { fingerprintOf, type WriteKeySigner, WriteKeyVerifier } from './write-key';

const logger = createLogger({ app: 'ingest', level: 'silent' });

/** Answers as the route of the API does, with a text of the test's choice; 503 without one. */
class Answers {
  text: string | undefined;
  /** How many requests were answered that nothing has changed. */
  unchanged = 0;
  private readonly server: Server = createServer((request, response) => {
    const etag = `"${this.text?.slice(-20).replaceAll(/\W/g, '')}"`;
    const isUnchanged = request.headers['if-none-match'] === etag;
    if (isUnchanged) this.unchanged += 1;
    const status = this.text === undefined ? 503 : isUnchanged ? 304 : 200;
    response.writeHead(status, status === 200 ? { etag } : {}).end(status === 200 ? this.text : '');
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => void this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

describe('The key list', () => {
  const signer = newSigner();
  const verifier = new WriteKeyVerifier([signer.publicKey]);
  const answers = new Answers();
  let apiUrl = '';
  let directory = '';
  const lists: KeyList[] = [];

  beforeAll(async () => {
    apiUrl = await answers.listen();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-key-list-'));
    answers.text = undefined;
  });
  afterEach(async () => {
    await Promise.all(lists.splice(0).map((list) => list.stop()));
    rmSync(directory, { recursive: true });
  });
  afterAll(() => answers.close());

  const opened = (url = apiUrl, pollMs?: number): KeyList => {
    const list = new KeyList({
      verifier,
      apiUrl: url,
      directory,
      logger,
      ...(pollMs === undefined ? {} : { pollMs }),
    });
    lists.push(list);
    return list;
  };
  const holder = (): { keyId: string; tenantId: string } => ({ keyId: newId(), tenantId: newId() });
  const publish = (contents: Partial<KeyListContents>, by: WriteKeySigner = signer): void => {
    const whole = {
      asOfMs: Date.now(),
      revoked: [],
      suspended: [],
      erased: [],
      plans: {},
      drills: [],
      ...contents,
    };
    answers.text = JSON.stringify(signKeyList(by, whole));
  };
  /** Nobody listens there. */
  const AWAY = 'http://127.0.0.1:9';

  it('takes every key under the standard plan while there is none', async () => {
    const list = opened(AWAY);
    await list.poll();
    expect(list.stateOf(holder())).toEqual({ plan: 'standard' });
  });

  it('knows which tenants are erased, and of an API of the release before, that it does not', async () => {
    const [suspended, erased] = [holder(), holder()];
    const list = opened();
    publish({
      suspended: [suspended, erased].map(({ tenantId }) => fingerprintOf(tenantId)),
      erased: [fingerprintOf(erased.tenantId)],
    });
    await list.poll();
    const areErased = (): boolean[] => [suspended, erased].map(({ tenantId }) => list.isErased(tenantId));
    expect([areErased(), areErased()]).toEqual([
      [false, true],
      [false, true],
    ]);
    publish({ suspended: [fingerprintOf(erased.tenantId)], erased: undefined as never });
    await list.poll();
    expect([list.stateOf(erased).refused, areErased()]).toEqual(['suspended', [false, false]]);
  });

  it('refuses revoked keys and tenants that are not active, and says who is on another plan', async () => {
    const [good, revoked, suspended, free] = [holder(), holder(), holder(), holder()];
    const list = opened();
    publish({
      revoked: [fingerprintOf(revoked.keyId)],
      suspended: [fingerprintOf(suspended.tenantId)],
      plans: { free: [fingerprintOf(free.tenantId)], platinum: [fingerprintOf(good.tenantId)] },
    });
    await list.poll();
    expect([good, revoked, suspended, free].map((each) => list.stateOf(each))).toEqual([
      { plan: 'standard' },
      { refused: 'revoked', plan: 'standard' },
      { refused: 'suspended', plan: 'standard' },
      { plan: 'free' },
    ]);
  });

  it('changes its mind about a key that it was asked about before', async () => {
    const key = holder();
    const list = opened();
    publish({});
    await list.poll();
    expect(list.stateOf(key)).toEqual({ plan: 'standard' });
    publish({ revoked: [fingerprintOf(key.keyId)] });
    await list.poll();
    expect(list.stateOf(key).refused).toBe('revoked');
  });

  it('holds while the API is away, and from the disk on a cold start without it', async () => {
    const key = holder();
    publish({ revoked: [fingerprintOf(key.keyId)] });
    const list = opened();
    await list.poll();
    answers.text = undefined;
    await list.poll();
    expect(list.stateOf(key).refused).toBe('revoked');
    const restarted = opened(AWAY);
    await restarted.poll();
    expect(restarted.stateOf(key).refused).toBe('revoked');
  });

  it('is not taken from whoever cannot sign it, over the network and from the disk', async () => {
    const key = holder();
    publish({ revoked: [fingerprintOf(key.keyId)] });
    const list = opened();
    await list.poll();
    const honest = answers.text;
    publish({ asOfMs: Date.now() + 1_000 }, newSigner());
    const forged = answers.text ?? '';
    const changed = honest?.replace(fingerprintOf(key.keyId), fingerprintOf(newId())) ?? '';
    const key64 = JSON.parse(honest ?? '') as { list: string };
    for (const text of [
      forged,
      changed,
      '{',
      'null',
      '{"list":1}',
      JSON.stringify({ list: key64.list, signature: '' }),
    ]) {
      answers.text = text;
      await list.poll();
      expect(list.stateOf(key).refused).toBe('revoked');
      expect(readFileSync(join(directory, 'key-list.json'), 'utf8')).toBe(honest);
    }
    writeFileSync(join(directory, 'key-list.json'), forged);
    expect(opened(AWAY).stateOf(key)).toEqual({ plan: 'standard' });
  });

  it('never goes back to an older one, also after a restart', async () => {
    const key = holder();
    const asOfMs = Date.now();
    publish({ asOfMs: asOfMs - 1 });
    const older = answers.text;
    publish({ asOfMs, revoked: [fingerprintOf(key.keyId)] });
    const list = opened();
    await list.poll();
    answers.text = older;
    await list.poll();
    expect(list.stateOf(key).refused).toBe('revoked');
    const restarted = opened();
    await restarted.poll();
    expect(restarted.stateOf(key).refused).toBe('revoked');
  });

  it('takes none from a future that would keep all others out', async () => {
    const key = holder();
    const list = opened();
    publish({ asOfMs: Date.now() + 86_400_000 });
    await list.poll();
    publish({ revoked: [fingerprintOf(key.keyId)] });
    await list.poll();
    expect(list.stateOf(key).refused).toBe('revoked');
  });

  const drill = (leftMs: number, change: object = {}): KeyListContents['drills'][number] => ({
    ...{ policy: 'telemetry_batches', does: 'open', delayMs: 1 },
    endsAtMs: Date.now() + leftMs,
    ...change,
  });

  it('drills what it names until its end, also where the API goes away, and names none after a restart', async () => {
    const drilled = new Policy('telemetry_batches');
    const list = opened();
    publish({ drills: [drill(500), drill(500, { policy: 'of_another_release' })] });
    await list.poll();
    expect(drilled.state).toMatchObject({ circuit: 'open', drill: 'open' });
    answers.text = undefined;
    await list.poll();
    expect(drilled.isOpen).toBe(true);
    const restarted = new Policy('telemetry_batches');
    await opened(AWAY).poll();
    expect([drilled.isOpen, restarted.isOpen]).toEqual([true, false]);
    while (drilled.isOpen) await sleep(5);
  });

  it('ends a drill that it names no more, or with another end', async () => {
    const drilled = new Policy('telemetry_batches');
    const list = opened();
    for (const drills of [[drill(60_000)], [], [drill(60_000)], [drill(0)]]) {
      publish({ drills });
      await list.poll();
      expect(drilled.isOpen).toBe((drills[0]?.endsAtMs ?? 0) > Date.now());
    }
  });

  it('drills for no longer than was left, whichever of the two clocks is ahead', async () => {
    const drilled = new Policy('telemetry_batches');
    const list = opened();
    publish({ asOfMs: Date.now() - 60_000, drills: [drill(-30_000)] });
    await list.poll();
    expect(drilled.isOpen).toBe(false);
    publish({ asOfMs: Date.now() + 60_000, drills: [drill(60_300)] });
    await list.poll();
    expect(drilled.isOpen).toBe(true);
    while (drilled.isOpen) await sleep(5);
  }, 5_000);

  it('is taken, whatever a later API says of drills', async () => {
    const key = holder();
    const list = opened();
    publish({ revoked: [fingerprintOf(key.keyId)], drills: [drill(60_000, { does: 'explode' })] });
    await list.poll();
    expect(list.stateOf(key).refused).toBe('revoked');
  });

  it('is asked for again and again, and read again only when it has changed', async () => {
    const key = holder();
    publish({});
    const list = opened(apiUrl, 5);
    const before = answers.unchanged;
    list.start();
    while (answers.unchanged < before + 2) await sleep(5);
    publish({ revoked: [fingerprintOf(key.keyId)] });
    while (list.stateOf(key).refused === undefined) await sleep(5);
  });

  it('shows how long ago it was confirmed, and what came of asking', async () => {
    publish({ asOfMs: Date.now() - 7_200_000 });
    await opened().poll();
    const list = opened(AWAY);
    await list.poll();
    expect(list.ageMs).toBeGreaterThanOrEqual(7_200_000);
    const { text } = await metricsText();
    expect(text).toMatch(/^holdfast_ingest_key_list_age_seconds 72\d\d/m);
    expect(text).toMatch(/^holdfast_ingest_key_list_polls_total\{result="unreachable"\} [1-9]/m);
  });
});
