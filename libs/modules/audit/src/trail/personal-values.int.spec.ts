import { type Caller, newId } from '@holdfast/kernel';
import { Readings, Tallies } from '@holdfast/cqrs';
import { announcement, eventType, personal, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase, TestVault } from '@holdfast/testing';
import { z } from 'zod';
import { TestSealer } from '../../test/test-sealer';
import { AuditFeed, AuditFeedHandler, auditFeedInput } from '../feed/audit-feed.query';
import { FeedFollowers } from '../feed/feed-followers';
import { AuditEvent, AuditEventHandler } from './audit-event.query';
import { AuditTrail, AuditTrailHandler, auditTrailInput } from './audit-trail.query';

const INVITED = eventType('test.guest.invited', {
  version: 1,
  description: 'A guest was invited.',
  schema: z.object({ email: personal(z.string(), { subject: 'stream' }).optional(), seats: z.int() }),
  example: { seats: 2 },
});

/** Promise 5 beside erasure: the log has commitments, and who may sees what they stand for. */
describe('Personal values in the trail', () => {
  let database: TestDatabase;
  let vault: TestVault;
  let tenants: TenantDatabase;
  let caller: Caller;
  let id: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    vault = new TestVault();
    tenants = database.tenants(2, vault.open());
    caller = await database.caller();
    const event = announcement(INVITED, { id: newId(), version: 1n }, { email: 'ada@example.com', seats: 2 });
    ({ id } = event);
    await tenants.transaction(caller, (tx) => tx.announce(event));
    const sealer = await TestSealer.create(database);
    await sealer.seal();
    await sealer.close();
  });
  afterAll(async () => {
    await database.drop();
    vault.remove();
  });

  /** What every way to read an event shows of its payload. */
  async function shownTo(by: Caller): Promise<unknown[]> {
    const readings = new Readings(new Tallies(tenants));
    const list = await new AuditTrailHandler(tenants, readings).execute(
      new AuditTrail(by, auditTrailInput.parse({})),
    );
    const one = await new AuditEventHandler(tenants, readings).execute(new AuditEvent(by, { id }));
    const query = new AuditFeed(by, auditFeedInput.parse({}), () => Promise.resolve(by));
    const feed = await new AuditFeedHandler(tenants, readings, new FeedFollowers()).execute(query);
    return [list.data[0]?.data, one.data, feed.data[1]?.event?.data];
  }

  it('are shown to those who hold personal:read', async () => {
    for (const data of await shownTo(caller))
      expect(data).toEqual({ email: { value: 'ada@example.com' }, seats: 2 });
  });

  it('are commitments to everybody else', async () => {
    for (const data of await shownTo({ ...caller, scopes: ['audit:read'] }))
      expect(data).toEqual({ email: { commitment: expect.any(String) }, seats: 2 });
  });

  it('are redacted for everybody once they are gone', async () => {
    await database.admin('delete from audit.disclosures where tenant_id = $1', [caller.tenantId]);
    for (const data of await shownTo(caller)) expect(data).toEqual({ email: { redacted: true }, seats: 2 });
  });
});
