import { randomUUID } from 'node:crypto';
import { formatVerifierKey, generateSignerKey } from '@holdfast/tlog';
import { AuditApp } from '../../test/audit-app';
import { WitnessesModule } from './witnesses.module';

describe('Removing a witness', () => {
  let app: AuditApp;

  beforeAll(async () => {
    app = await AuditApp.start([WitnessesModule.forRoot({ configured: [], allowedNetworks: [] })]);
    await app.tenant('caller');
    await app.tenant('other');
  });
  afterAll(() => app.close());

  it('is for its tenant alone, and happens once', async () => {
    const verifierKey = formatVerifierKey(generateSignerKey('own.example/w', 'cosignature/v1'));
    const added = await app.ask('/witnesses', {
      method: 'POST',
      headers: { 'idempotency-key': randomUUID() },
      body: { verifierKey, url: 'https://witness.example.com/' },
    });
    const { id } = JSON.parse(added.text);
    await app.database.admin(
      'insert into audit.offers (tenant_id, witness) select tenant_id, verifier_key from audit.witnesses',
    );
    const remove = async (as = 'caller') =>
      (await app.ask(`/witnesses/${id}`, { as, method: 'DELETE' })).status;
    expect([await remove('other'), await remove(), await remove()]).toEqual([404, 204, 404]);
    expect(JSON.parse((await app.ask('/witnesses')).text)).toEqual({ data: [] });
    expect(await app.database.admin('select witness from audit.offers')).toEqual([]);
    const events = await app.database.admin<{ type: string; stream_version: string; data: object }>(
      'select type, stream_version, data from events.log where stream_id = $1 order by seq',
      [id],
    );
    const data = { key: verifierKey.split('+', 2).join('+') };
    expect(events).toEqual([
      { type: 'audit.witness.added', stream_version: '1', data },
      { type: 'audit.witness.removed', stream_version: '2', data },
    ]);
  });
});
