import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { announceIn } from '../../test/announced';
import { findFaults, readSealedTrees } from '../../test/sealed-log';
import { TestSealer } from '../../test/test-sealer';
import { verifyLog } from './verify-by-hand';

const WRITERS = 200;
const TRANSACTIONS = 5;
const EVENTS = 3;
/** Connections that they share, as the requests of a process do. */
const CONNECTIONS = 24;
/** One in so many transactions commits long behind those that began after it. */
const LATE_ONE_IN = 25;
const LATE_MS = 400;

// Guards: verification takes nothing for tampering that is only under way.
describe('Two hundred writers on one tenant', () => {
  let database: TestDatabase;
  let sealer: TestSealer;

  beforeAll(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
  });
  afterAll(async () => {
    await sealer.close();
    await database.drop();
  });

  it('raise no false alarm while their events are sealed and verified, and each is sealed once', async () => {
    const tenantId = newId();
    const caller = await database.caller(tenantId);
    const tenants = database.tenants(CONNECTIONS);
    const written: string[] = [];
    const writing = new AbortController();
    const write = async (writer: number): Promise<void> => {
      for (let turn = 0; turn < TRANSACTIONS; turn += 1) {
        const isLate = (writer * TRANSACTIONS + turn) % LATE_ONE_IN === 0;
        const ids = await tenants.transaction(caller, async (tx) => {
          const announced = await announceIn(tx, EVENTS);
          if (isLate) await sleep(LATE_MS);
          return announced;
        });
        written.push(...ids);
      }
    };
    const sealing = async (): Promise<void> => {
      while (!writing.signal.aborted) await sealer.seal();
    };
    let verified = 0;
    const readers = database.tenants(2);
    const verifying = async (): Promise<void> => {
      for (; !writing.signal.aborted; verified += 1) {
        const outcome = await verifyLog(readers, caller, { publicKeys: [sealer.publicKey] });
        expect(outcome.findings).toEqual([]);
      }
    };
    const others = [sealing(), verifying()];
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    writing.abort();
    await Promise.all(others);
    await sealer.seal();

    expect(written).toHaveLength(WRITERS * TRANSACTIONS * EVENTS);
    expect(verified).toBeGreaterThan(2);
    expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    const [tree] = await readSealedTrees(database, tenantId);
    expect(tree?.eventIds.slice(1).toSorted()).toEqual(written.toSorted());
    expect(await verifyLog(readers, caller, { publicKeys: [sealer.publicKey] })).toMatchObject({
      ...{ checked: written.length, findings: [] },
    });
  }, 60_000);
});
