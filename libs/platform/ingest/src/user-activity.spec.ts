import { type Caller, newId } from '@holdfast/kernel';
import { metricsText } from '@holdfast/observability';
import { eventually, Receiver } from '@holdfast/testing';
import { newSigner } from '../test/new-signer';
import { activityKeyId, UserActivity } from './user-activity';
import { WriteKeyVerifier } from './write-key';

interface Call {
  readonly event: string;
  readonly userId: string;
  readonly properties: object;
  readonly context: object;
}

/** How many activities this process has counted so. */
async function countOf(result: string): Promise<number> {
  const { text } = await metricsText();
  const line = text.split('\n').find((each) => each.includes(`activities_total{result="${result}"}`));
  return Number(line?.split(' ')[1] ?? 0);
}

const batchOf = (body = '{}'): Call[] => (JSON.parse(body) as { batch: Call[] }).batch;
const keyIn = (authorization = ''): string =>
  Buffer.from(authorization.split(' ')[1] ?? '', 'base64')
    .toString()
    .replace(/:$/, '');

/** Promise 7, for what members do: it never holds up or fails who records it, and what is lost is counted. */
describe('The activity of members', () => {
  const signer = newSigner();
  const newCaller = (actor = `member:${newId()}`, act?: string): Caller => ({
    ...{ grant: 'grant', scopes: [], plan: 'standard', requestId: 'request-1' },
    tenantId: newId(),
    actor,
    act,
  });
  let ingest: Receiver;
  let logged: string[];
  let isWanted: (caller: Caller) => Promise<boolean>;

  beforeEach(async () => {
    ingest = await Receiver.start((response) => response.writeHead(200).end('{}'));
    logged = [];
    isWanted = async () => true;
  });
  afterEach(() => ingest.stop());

  const activityAt = (url = ingest.url): UserActivity => {
    const log = (_: object, message?: string): void => void logged.push(message ?? '');
    const logger = { warn: log, info: log } as never;
    const wanted = (caller: Caller): Promise<boolean> => isWanted(caller);
    return new UserActivity({ url, signer, logger, isWanted: wanted, collectMs: 20, wantedFreshMs: 0 });
  };

  it('reaches ingest in a batch for each tenant, under a key of that tenant, by the id of the member', async () => {
    const activity = activityAt();
    const [ada, ben] = [newCaller(), newCaller()];
    activity.record(ada, 'Statement Viewed', { pages: 2 });
    activity.record(ben, 'Statement Viewed');
    activity.record(ada, 'Export Requested');
    await ingest.until(2);
    await activity.drain(1_000);
    const requests = ingest.received.toSorted((a, b) => b.body.length - a.body.length);
    const verifier = new WriteKeyVerifier([signer.publicKey]);
    const sent = requests.map(({ headers, body }) => {
      const holder = verifier.holderOf(keyIn(headers['authorization']));
      return [holder, ...batchOf(body).map(({ event, userId, properties }) => [event, userId, properties])];
    });
    const holderOf = (tenantId: string): object => ({ tenantId, keyId: activityKeyId(tenantId) });
    const [adaId, benId] = [ada, ben].map(({ actor }) => actor.slice('member:'.length));
    expect(sent).toEqual([
      [holderOf(ada.tenantId), ['Statement Viewed', adaId, { pages: 2 }], ['Export Requested', adaId, {}]],
      [holderOf(ben.tenantId), ['Statement Viewed', benId, {}]],
    ]);
    expect(batchOf(requests[0]?.body)[0]?.context).toEqual({ requestId: 'request-1' });
  });

  it('is of members alone: not of keys, parts of the system, or operators', async () => {
    const activity = activityAt();
    for (const actor of [`api_key:${newId()}`, 'system:usage', `support:${newId()}`])
      activity.record(newCaller(actor), 'Statement Viewed');
    activity.record(newCaller(undefined, 'operator:olga'), 'Statement Viewed');
    activity.record(newCaller(), 'Export Requested');
    await activity.drain(5_000);
    expect(ingest.received.flatMap(({ body }) => batchOf(body)).map(({ event }) => event)).toEqual([
      'Export Requested',
    ]);
  });

  it('of a tenant that has switched it off is not sent, as soon as that is heard and as long as it holds', async () => {
    const activity = activityAt();
    const [off, on] = [newCaller(), newCaller()];
    let choice: 'on' | 'off' | 'unknown' = 'unknown';
    isWanted = async ({ tenantId }) => {
      if (choice === 'unknown') throw new Error('the database is away');
      return tenantId === on.tenantId || choice === 'on';
    };
    const lost = async (): Promise<number[]> => [await countOf('undecided'), await countOf('switched_off')];
    const [undecided = 0, switchedOff = 0] = await lost();
    const recordWhile = async (
      next: typeof choice,
      name: string,
      expected: readonly number[],
    ): Promise<void> => {
      choice = next;
      activity.record(off, name);
      activity.record(on, name);
      await eventually(async () => (await lost()).join() === expected.join());
    };
    await recordWhile('unknown', 'Never Read', [undecided + 2, switchedOff]);
    await recordWhile('off', 'Off', [undecided + 2, switchedOff + 1]);
    await recordWhile('unknown', 'Last Read', [undecided + 2, switchedOff + 2]);
    await recordWhile('on', 'On Again', [undecided + 2, switchedOff + 2]);
    await activity.drain(5_000);
    const sent = ingest.received
      .flatMap(({ body }) => batchOf(body))
      .map(({ userId, event }) => `${event} ${userId === on.actor.slice('member:'.length) ? 'on' : 'off'}`);
    expect(sent.toSorted()).toEqual(['Last Read on', 'Off on', 'On Again off', 'On Again on']);
  });

  it('is sent again as it was while ingest fails, and not once it refuses', async () => {
    ingest.behave = (response) => response.writeHead(ingest.received.length < 3 ? 503 : 400).end();
    const refused = await countOf('refused');
    const activity = activityAt();
    activity.record(newCaller(), 'Statement Viewed');
    const [first, second, third] = await ingest.until(3);
    await activity.drain(1_000);
    expect(batchOf(second?.body)).toEqual(batchOf(first?.body));
    expect(batchOf(third?.body)).toEqual(batchOf(first?.body));
    expect(await countOf('refused')).toBe(refused + 1);
    expect(ingest.received).toHaveLength(3);
  });

  const refuse = (code: string, retryAfter: number, times: number): void => {
    ingest.behave = (response) =>
      ingest.received.length <= times
        ? response.writeHead(429, { 'retry-after': String(retryAfter) }).end(JSON.stringify({ code }))
        : response.writeHead(200).end('{}');
  };
  const lostAs = async (result: string): Promise<number> => {
    const before = await countOf(result);
    const activity = activityAt();
    activity.record(newCaller(), 'Statement Viewed');
    await eventually(async () => (await countOf(result)) === before + 1, 30_000);
    await activity.drain(1_000);
    return ingest.received.length;
  };

  it('is sent three times where the tenant is over its quota, and given up without a word', async () => {
    refuse('ingest.over_quota', 1, 100);
    expect(await lostAs('over_quota')).toBe(3);
    expect(logged).toEqual([]);
  });

  it('is given up at once where the quota has nothing for longer than activities wait', async () => {
    refuse('ingest.over_quota', 6, 100);
    expect(await lostAs('over_quota')).toBe(1);
  });

  it('is sent until ingest has room again, and longer than over a quota', async () => {
    refuse('ingest.overloaded', 0, 4);
    expect(await lostAs('sent')).toBe(5);
    refuse('ingest.busy', 6, 100);
    expect(await lostAs('overloaded')).toBe(6);
  });

  it('is counted when it cannot be written, and no fault of its properties is the caller’s', async () => {
    const invalid = await countOf('invalid');
    const activity = activityAt();
    const faults = [
      { amount: 1n },
      { text: 'x'.repeat(40_000) },
      {
        get broken(): never {
          throw new Error('this getter fails');
        },
      },
    ];
    for (const properties of faults) activity.record(newCaller(), 'Statement Viewed', properties);
    await activity.drain(1_000);
    expect([await countOf('invalid'), ingest.received.length]).toEqual([invalid + faults.length, 0]);
  });

  it('fits into a batch that ingest takes, whatever it is written in', async () => {
    const activity = activityAt();
    const text = '語'.repeat(9_000);
    for (let n = 0; n < 60; n += 1) activity.record(newCaller(), 'Statement Viewed', { text });
    await activity.drain(10_000);
    const events = ingest.received.flatMap(({ body }) => batchOf(body));
    expect(events).toHaveLength(60);
    for (const event of events) expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(32 * 1024);
    for (const { body } of ingest.received) expect(Buffer.byteLength(body)).toBeLessThan(500 * 1024);
  });

  it('waits for nobody: it returns while ingest holds every answer back', async () => {
    const held: (() => void)[] = [];
    ingest.behave = (response) => void held.push(() => response.writeHead(200).end('{}'));
    const sent = await countOf('sent');
    const activity = activityAt();
    const caller = newCaller();
    activity.record(caller, 'Statement Viewed');
    await ingest.until(1);
    for (let n = 0; n < 100; n += 1) expect(activity.record(caller, 'Statement Viewed')).toBeUndefined();
    expect([ingest.received.length, await countOf('sent')]).toEqual([1, sent]);
    ingest.behave = (response) => response.writeHead(200).end('{}');
    held.forEach((answer) => answer());
    await activity.drain(5_000);
    expect(await countOf('sent')).toBe(sent + 101);
  });

  it('is bounded while ingest is away, one tenant beside others, and every loss is counted', async () => {
    const away = activityAt('http://127.0.0.1:9');
    const [full, unreachable] = [await countOf('full'), await countOf('unreachable')];
    const [loud, quiet] = [newCaller(), newCaller()];
    for (let n = 0; n < 12_000; n += 1) away.record(loud, 'Statement Viewed');
    const fullOfLoud = (await countOf('full')) - full;
    away.record(quiet, 'Statement Viewed');
    await away.drain(10_000);
    expect(fullOfLoud).toBeGreaterThan(5_000);
    expect((await countOf('full')) - full).toBe(fullOfLoud);
    expect((await countOf('unreachable')) - unreachable).toBe(12_001 - fullOfLoud);
  });

  it('is told to the operator once when ingest goes away, and when it is back', async () => {
    const activity = activityAt();
    await activity.checkReachable();
    ingest.behave = (response) => response.writeHead(503).end();
    for (let n = 0; n < 5; n += 1) activity.record(newCaller(), 'Statement Viewed');
    await ingest.until(8);
    await expect(activity.checkReachable()).rejects.toMatchObject({ name: 'ActivityUnreachable' });
    ingest.behave = (response) => response.writeHead(200).end('{}');
    await eventually(() => logged.length === 2);
    await activity.drain(5_000);
    await activity.checkReachable();
    expect(logged).toEqual([
      'Ingest does not answer: activities of members are lost if that lasts.',
      'Ingest takes the activities of members again.',
    ]);
  });

  it('ends within its time where ingest hangs, and counts what it then could not send', async () => {
    ingest.behave = () => {};
    const [unreachable, closed] = [await countOf('unreachable'), await countOf('closed')];
    const activity = activityAt();
    for (let n = 0; n < 5; n += 1) activity.record(newCaller(), 'Statement Viewed');
    await ingest.until(4);
    await activity.drain(50);
    activity.record(newCaller(), 'Statement Viewed');
    expect(await countOf('unreachable')).toBe(unreachable + 5);
    expect(await countOf('closed')).toBe(closed + 1);
  });

  it('goes nowhere without a destination', async () => {
    const before = await metricsText();
    const activity = new UserActivity();
    activity.record(newCaller(), 'Statement Viewed');
    await activity.drain(0);
    await activity.checkReachable();
    expect(await metricsText()).toEqual(before);
  });
});
