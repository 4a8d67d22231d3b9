import { type Caller, newId } from '@holdfast/kernel';
import { AuditApp } from '../../test/audit-app';
import { HandSealer } from '../../test/hand-sealer';
import { type ServedLog, verifyServedLog } from './served-log';

const GONE = 410;

describe('A log that an API serves', () => {
  let app: AuditApp;
  let sealer: HandSealer;

  beforeAll(async () => {
    app = await AuditApp.start();
    sealer = new HandSealer(app.database);
  });
  afterAll(() => app.close());

  const verify = (as: string): Promise<ServedLog> =>
    verifyServedLog(async (path) => {
      const { status, bytes } = await app.ask(path.replace('/v1/audit', ''), { as });
      if (status !== GONE && status !== 200) throw new Error(`${path} answers ${status}`);
      return status === GONE ? undefined : bytes;
    });

  /** A log of 700 events, of which this part says that those below leaf 300 are pruned; and they are. */
  async function prunedLog(as: string, part: string, of: Partial<Caller> = {}): Promise<Caller> {
    const caller = await app.tenant(as);
    const { tenantId } = caller;
    await app.announce(caller, 700);
    const payload = JSON.stringify({ tenantId, ...of, epoch: 1, prunedTo: '300', size: '701', root: 'x' });
    const event = { id: newId(), type: 'audit.log.pruned', schemaVersion: 1, streamType: 'audit.log' };
    await app.tenants.transaction(await app.database.part(part, tenantId), (tx) =>
      tx.announce({ ...event, streamId: newId(), streamVersion: 1n, payload }),
    );
    await sealer.seal(tenantId);
    await app.database.admin('update audit.epochs set pruned_to = 300 where tenant_id = $1', [tenantId]);
    await app.tamper('delete from events.log where tenant_id = $1 and id = any ($2)', [
      tenantId,
      (await app.eventIds(caller)).slice(0, 299),
    ]);
    return caller;
  }

  it('is intact where a sealed event of the retention says why entries are not served', async () => {
    const caller = await prunedLog('pruned', 'pruner');
    const { tenantId } = caller;
    expect(await verify('pruned')).toMatchObject({
      ...{ size: 702, findings: [] },
      pruned: [
        { from: 0, to: 255 },
        { from: 256, to: 511 },
      ],
    });
    // Of a tile behind it, without a word.
    await app.database.admin('update audit.epochs set pruned_to = 600 where tenant_id = $1', [tenantId]);
    const left = await app.eventIds(caller);
    // Leaves 512 and behind: 300 stands first of what is left.
    await app.tamper('delete from events.log where tenant_id = $1 and id = $2', [tenantId, left[250]]);
    expect((await verify('pruned')).findings).toMatchObject([{ kind: 'missing', index: 512 }]);
  });

  it.each([
    ['somebody else says so', 'test', {}, ['missing', 'missing', 'pruned']],
    ['it was said of another tenant', 'pruner', { tenantId: newId() }, ['missing', 'missing']],
  ])('is not where %s', async (as, part, of, kinds) => {
    await prunedLog(as, part, of);
    const { findings, pruned } = await verify(as);
    expect([findings.map(({ kind }) => kind).toSorted(), pruned]).toEqual([kinds, []]);
  });
});
