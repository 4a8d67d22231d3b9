import { type Caller, Deadline, DomainError, NotFound } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { IdempotentTransactions } from './idempotent-transactions';
import { TenantCommand, TenantQuery } from './messages';
import { Pipeline } from './pipeline';
import { Refusals } from './refusals';
import { Tallies } from './tallies';
import { requestRefused } from './trail.events';

class CloseGate extends TenantCommand<Record<string, never>, null> {
  readonly scope = 'ledger:write';
}
class Gates extends TenantQuery<Record<string, never>, null> {
  readonly scope = 'ledger:read';
}
class GateJammed extends DomainError {
  readonly code = 'test.gate_jammed';
  readonly kind = 'conflict';
}
class GateAway extends DomainError {
  readonly code = 'test.gate_away';
  readonly kind = 'unavailable';
}

describe('The trail of refusals', () => {
  let database: TestDatabase;
  let tallies: Tallies;
  let pipeline: Pipeline;
  let transactions: IdempotentTransactions;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  beforeEach(async () => {
    const tenants = database.tenants(2);
    tallies = new Tallies(tenants);
    const refusals = new Refusals(tallies);
    pipeline = new Pipeline(refusals);
    transactions = new IdempotentTransactions(tenants, refusals);
    caller = await database.caller(undefined, 'operator:alice');
  });
  afterEach(() => tallies.onApplicationShutdown());
  afterAll(() => database.drop());

  interface Told {
    readonly actor: string;
    readonly act: string;
    readonly correlation_id: string;
    readonly data: Readonly<Record<string, unknown>>;
  }
  const told = (): Promise<Told[]> =>
    database.admin(
      `select actor, act, correlation_id, data from events.log
       where tenant_id = $1 and type = 'audit.request.refused' order by seq`,
      [caller.tenantId],
    );
  /** Runs a command that is refused so, and answers what its caller is told. */
  const refuse = async (error: Error, key?: string, by = caller): Promise<unknown> => {
    const command = new CloseGate(by, {}, key === undefined ? undefined : { key, replayed: false });
    const handle = async (): Promise<never> => {
      throw error;
    };
    try {
      return await pipeline.run(command, () => transactions.run(command, handle));
    } catch (thrown) {
      return thrown;
    }
  };
  const jammed = { message: 'CloseGate', code: 'test.gate_jammed', kind: 'conflict' };

  it('is in the log as soon as the refusal is stored, by who was refused', async () => {
    expect(await refuse(new GateJammed(), 'k')).toBeInstanceOf(GateJammed);
    const { actor, act, requestId } = caller;
    expect(await told()).toMatchObject([
      { actor, act, correlation_id: requestId, data: { ...jammed, count: 1 } },
    ]);
  });

  it('tells once of a refusal that is repeated under its key', async () => {
    const again = [await refuse(new GateJammed(), 'k'), await refuse(new GateJammed(), 'k')];
    expect(again.map((error) => (error as DomainError).code)).toEqual([
      'test.gate_jammed',
      'test.gate_jammed',
    ]);
    await tallies.flush(true);
    expect(await told()).toHaveLength(1);
  });

  it('tells of a thousand refusals with two events', async () => {
    await refuse(new GateJammed(), 'first');
    for (let request = 0; request < 999; request += 1) await refuse(new GateJammed());
    await refuse(new NotFound());
    await tallies.flush();
    expect((await told()).map(({ data }) => data['count'])).toEqual([1, 1]);
    await tallies.onApplicationShutdown();
    expect(await told()).toMatchObject([
      { data: { ...jammed, count: 1 } },
      { data: { code: 'resource.not_found', count: 1 } },
      { data: { ...jammed, count: 999 } },
    ]);
  });

  it('tells of it though the time of its request is over by then', async () => {
    tallies.note({
      caller: { ...caller, deadline: Deadline.in(0) },
      type: requestRefused,
      about: jammed,
    });
    await tallies.flush(true);
    expect(await told()).toMatchObject([{ data: { ...jammed, count: 1 } }]);
  });

  it('tells of what has no key within two seconds', async () => {
    await refuse(new GateJammed());
    for (let look = 0; look < 40 && (await told()).length === 0; look += 1) await sleep(50);
    expect(await told()).toHaveLength(1);
  });

  it('tells of a missing permission, for queries as for commands', async () => {
    const poor = { ...caller, scopes: [] };
    await expect(pipeline.run(new Gates(poor, {}), async () => null)).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
    await refuse(new GateJammed(), undefined, poor);
    await tallies.flush(true);
    const forbidden = { code: 'auth.forbidden', kind: 'forbidden' };
    expect((await told()).map(({ data }) => data)).toMatchObject([
      { message: 'Gates', ...forbidden },
      { message: 'CloseGate', ...forbidden },
    ]);
  });

  it('says nothing of outages, of questions that have no answer, and of the system’s own work', async () => {
    await refuse(new GateAway());
    await refuse(new Error('a bug'));
    const unknown = pipeline.run(new Gates(caller, {}), async () => {
      throw new NotFound();
    });
    await expect(unknown).rejects.toMatchObject({ code: 'resource.not_found' });
    const system = await database.caller(caller.tenantId);
    await refuse(new GateJammed(), 'k', system);
    await tallies.flush(true);
    expect(await told()).toEqual([]);
  });

  it('refuses all the same while nothing can be recorded, and tells of it afterwards', async () => {
    await database.admin('revoke execute on function events.append from holdfast_app');
    try {
      expect(await refuse(new GateJammed(), 'k')).toBeInstanceOf(GateJammed);
      expect(await refuse(new GateJammed())).toBeInstanceOf(GateJammed);
      await tallies.flush();
      expect(await told()).toEqual([]);
    } finally {
      await database.admin('grant execute on function events.append to holdfast_app');
    }
    const stored = await database.admin('select from idempotency.answers where tenant_id = $1 and refused', [
      caller.tenantId,
    ]);
    expect(stored).toHaveLength(1);
    await tallies.flush();
    expect(await told()).toMatchObject([{ data: { ...jammed, count: 2 } }]);
  });
});
