import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { Grants, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { tenantConsumer } from '../test/consumers';
import { appendUnderLock, prepareKeys } from '../test/event-writers';
import { Consumers } from './consumers';
import { acquireLease, makeTick } from './ticks.sql';

const BACKLOGS = 4;
const BACKLOG = 2_000;
const CONCURRENCY = 2;

// Guards «fair» where wake-ups go through the queue. Counted in slices, so that it holds on a machine of any speed.
describe('A queue of wake-ups with backlogs in it', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(8);
  });
  afterAll(() => database.drop());

  const tenantWith = async (rounds: number, keyCount: number): Promise<string> => {
    const [caller, keys] = [await database.caller(newId()), Array.from({ length: keyCount }, () => newId())];
    await prepareKeys(database, caller.tenantId, keys);
    for (let round = 0; round < rounds; round += 1)
      await tenants.transaction(caller, (tx) => appendUnderLock(tx, keys));
    return caller.tenantId;
  };

  it('serves the single event of another tenant after one slice of each', async () => {
    const relay = database.as('holdfast_relay');
    const lease = {
      holder: 'test',
      fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n,
      leaseMs: 60_000,
    };
    const backlogs: string[] = [];
    for (let n = 0; n < BACKLOGS; n += 1) backlogs.push(await tenantWith(BACKLOG / 200, 200));
    const single = await tenantWith(1, 1);
    await makeTick(relay, lease);
    // Pages of 60 ms: a slice of 100 ms holds two.
    const pages: string[] = [];
    const consumer = tenantConsumer(async (tx) => {
      pages.push(tx.tenantId);
      await sleep(60);
    });
    const consumers = new Consumers({
      tenants,
      relay,
      grants: new Grants(database.as('holdfast_auth', 2)),
      backend: { kind: 'postgres', url: database.url('holdfast_jobs') },
      consumers: [consumer],
      concurrency: CONCURRENCY,
      report: () => {},
    });
    const [group] = consumers.groups;
    consumers.start();
    await group?.enqueue(backlogs);
    while (pages.length < 6) await sleep(5);
    const enqueuedAt = pages.length;
    await group?.enqueue([single]);
    while (!pages.includes(single)) await sleep(5);
    await consumers.stop();
    const between = Map.groupBy(pages.slice(enqueuedAt, pages.indexOf(single)), (tenantId) => tenantId);
    // Two pages of the slice under way, and two of one more; without slices it would be the ten of each backlog.
    for (const [, ofBacklog] of between) expect(ofBacklog.length).toBeLessThanOrEqual(5);
  }, 60_000);
});
