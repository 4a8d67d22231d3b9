import { AuditExportTask } from '@holdfast/audit';
import { Sequencer } from '@holdfast/events';
import { findEventType, Grants, listEventTypes } from '@holdfast/tenancy';
import { TaskRunner } from '@holdfast/tasks';
import { ExportTask } from '@holdfast/tenants';
import { TestIssuer } from '@holdfast/testing';
import { TestSealer } from '../../../libs/modules/audit/test/test-sealer';
import { findLeaks, type MatrixReport, VICTIMS_MARK } from './tenancy/matrix';
import type { Tenant } from './tenancy/owner';
import { deliverEvents, rowsOf } from './tenancy/stored';
import { TestApi, trusting } from './test-api';
import { TestSagas, waitingSaga } from './test-sagas';

/** What a hold is made by. */
const HOLD = { pending: true };
/** Routes that are about what is in one state alone. */
const STATES = {
  'POST /v1/ledger/transfers/{id}/post': HOLD,
  'POST /v1/ledger/transfers/{id}/void': HOLD,
  'mutation postHold': HOLD,
  'mutation voidHold': HOLD,
};

const EXAMPLE_WITNESS = 'witness.example.com/w1+e1bf92d2+BNTGwkph569uJjReHXu2h1uYCmQuc2ptmTfT/qNgd6s/';

const REFUSALS = {
  // The one key of a witness that the schema gives as its example can be added once.
  'POST /v1/audit/witnesses': 'audit.witness_exists',
  // The newest event is not sealed while it is new; by the time that others ask for it, it is.
  'GET /v1/audit/events/{id}/proof': 'audit.not_sealed',
  'query auditProof': 'audit.not_sealed',
  // Nothing is held of whoever an id stands for that was made up. That another tenant's person is not found either is in
  // erase-subject.command.int.spec.ts.
  'GET /v1/audit/subjects/{id}': 'resource.not_found',
  'POST /v1/audit/subjects/{id}/erase': 'resource.not_found',
  'query auditSubject': 'resource.not_found',
  'mutation eraseAuditSubject': 'resource.not_found',
  // Nobody stops a saga but its steps; that those that have stopped go on is in sagas.int.spec.ts.
  'POST /v1/sagas/{id}/retry': 'sagas.not_stopped',
  'mutation retrySaga': 'sagas.not_stopped',
};

/** Rows 24 and 25 of the isolation table: no route shows or changes what is another tenant's, or says that it is there. */
describe('Every route', () => {
  let api: TestApi;
  let issuer: TestIssuer;
  let report: MatrixReport;
  /** Streams show what has a tick. */
  let sequencer: Sequencer;
  /** The feed shows, and proofs prove, what is sealed. */
  let sealer: TestSealer;
  let sagas: TestSagas;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    // The first is the one that the schemas give as their example.
    api = await TestApi.start({}, [], [trusting('https://id.example.com'), trusting(issuer.url)]);
    const [victim, attacker] = [await api.largeTenant(), await api.largeTenant()];
    // The operator begins these: tenants have no way to.
    await api.supportAccess(victim.id, `${VICTIMS_MARK} is in need`);
    const credentials = await otherCredentialsOf(attacker);
    const tasks = new TaskRunner({
      tenants: api.database.tenants(2),
      relay: api.database.as('holdfast_relay', 2),
      grants: new Grants(api.database.as('holdfast_auth', 2)),
      kinds: [new ExportTask(), new AuditExportTask({ log: 'holdfast' })],
      report: (error) => process.stderr.write(`${String(error)}\n`),
    });
    startSequencer();
    sagas = new TestSagas(api);
    for (const { id } of [victim, attacker])
      for (let count = 0; count < 2; count += 1) await sagas.begin(id, waitingSaga, {});
    // Both have the witness of the schema's example from the beginning, so that adding it is answered alike each time.
    for (const { key } of [victim, attacker])
      await api.ask('POST', '/v1/audit/witnesses', {
        key,
        body: { verifierKey: EXAMPLE_WITNESS, url: 'https://witness.example.com/' },
      });
    sealer = await TestSealer.create(api.database);
    await sealer.seal();
    const work = async (): Promise<void> => {
      while ((await tasks.runDue()) > 0);
    };
    report = await findLeaks({
      app: api.app,
      victim,
      attacker,
      credentials,
      deliver: async (tenantId) => {
        // What was asked for over GraphQL, which does not say that it is done later.
        await work();
        await deliverEvents(api, tenantId, VICTIMS_MARK);
        // Sealing makes a tick of its own, for which there may be no other sequencer.
        await sequencer.stop();
        await sealer.seal();
        startSequencer();
      },
      rowsOf: (tenantId) => rowsOf(api, tenantId),
      work,
      states: STATES,
      refusals: REFUSALS,
    });
    const { operations, fields, requests, canaries, leaks, times } = report;
    process.stdout.write(
      `operations ${operations}, GraphQL fields ${fields}, requests sent ${requests}, canaries ${canaries}, leaks ${leaks.length}\n${times.join('\n')}\n`,
    );
    // Thousands of requests: seconds on a machine of its own, minutes on one that does ten other things.
  }, 1_200_000);
  afterAll(async () => {
    await sequencer.stop();
    await sealer.close();
    await sagas.close();
    await api.close();
    await issuer.stop();
  });

  function startSequencer(): void {
    sequencer = new Sequencer({
      relay: api.database.as('holdfast_relay', 2),
      onTick: () => {},
      report: (error) => process.stderr.write(`${String(error)}\n`),
    });
    sequencer.start();
  }

  /** An owner's token, and the operator's access: each for the tenant and for no other. */
  async function otherCredentialsOf({ id, key }: Tenant): Promise<Record<string, string>> {
    const member = { issuer: issuer.url, subject: 'mallory', role: 'owner' };
    await api.ask('POST', '/v1/members', { key, body: member });
    const exp = Math.floor(Date.now() / 1_000) + 3_600;
    const { secret } = await api.supportAccess(id, 'another one is in need');
    const credentials = {
      'a member': await issuer.token({ sub: member.subject, exp }),
      'support access': String(secret),
    };
    for (const credential of Object.values(credentials))
      expect(await api.ask('GET', '/v1/tenant', { key: credential })).toMatchObject({ body: { id } });
    return credentials;
  }

  it('is exercised by requests made from its own description', () => {
    expect(report.unexercised).toEqual([]);
  });

  it('leaves none of its free text, and no address, in an event', async () => {
    const found = await api.database.admin<{ type: string; data: object }>(
      'select distinct on (type) type, data from events.log where data::text ~ $1 order by type',
      [`${VICTIMS_MARK}|@example|127[.]0[.]0[.]1`],
    );
    expect(found).toEqual([]);
  });

  it('announces nothing but what is declared, in the latest version and as its schema says', async () => {
    const events = await api.database.admin<{ type: string; schema_version: number; data: object }>(
      'select type, schema_version, data from events.log',
    );
    const amiss = events.filter(({ type, schema_version: version, data }) => {
      const declared = findEventType(type);
      return declared?.schemaVersion !== version || !declared.schema.safeParse(data).success;
    });
    expect(amiss).toEqual([]);
    const seen = new Set(events.map(({ type }) => type));
    const never = listEventTypes().filter(({ type }) => !seen.has(type));
    process.stdout.write(
      `events ${events.length} of ${seen.size} types; none of ${never.map(({ type }) => type).join(', ')}\n`,
    );
    expect(seen.size).toBeGreaterThan(15);
  });

  it('keeps what is another tenant’s', () => {
    expect(report.leaks).toEqual([]);
  });
});
