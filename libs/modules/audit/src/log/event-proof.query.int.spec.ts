import { type Caller, newId } from '@holdfast/kernel';
import {
  decodeEntryBundle,
  formatSignature,
  formatVerifierKey,
  generateSignerKey,
  leafHash,
  type LogPolicy,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signText,
  verifyProofFile,
} from '@holdfast/tlog';
import { AuditApp, entryIn } from '../../test/audit-app';
import { HandSealer } from '../../test/hand-sealer';
import { settledPlan } from '../../test/settled-plan';
import { FIND_PROOF } from './event-proof.query';
import { LIST_TILES } from './tiles.sql';

describe('The proof of an event', () => {
  let app: AuditApp;
  let caller: Caller;
  let sealer: HandSealer;
  let policy: LogPolicy;

  beforeAll(async () => {
    app = await AuditApp.start();
    // What is said below of a table that nobody has looked at must not depend on when autovacuum comes.
    await app.database.admin('alter table audit.tiles set (autovacuum_enabled = off)');
    caller = await app.tenant('caller');
    sealer = new HandSealer(app.database);
    await app.announce(caller, 600);
    await sealer.seal(caller.tenantId);
    const key = parseVerifierKey(sealer.verifierKey(caller.tenantId));
    policy = { origin: key.name, logKeys: [key] };
  });
  afterAll(() => app.close());

  it('is a file that stands by itself', async () => {
    const ids = await app.eventIds(caller);
    for (const at of [0, 1, 254, 255, 256, 511, 512, 599]) {
      const { status, text, headers } = await app.ask(`/events/${ids[at]}/proof`);
      expect([at, status, headers['content-type']]).toEqual([at, 200, 'text/plain; charset=utf-8']);
      const proven = verifyProofFile(text, { entry: entryIn(text) }, policy);
      expect(proven.index).toBe(BigInt(at + 1));
      expect(JSON.parse(String(proven.extra))).toMatchObject({ kind: 'event', id: ids[at] });
    }
  });

  it('has its parts in JSON and over GraphQL as well', async () => {
    const id = (await app.eventIds(caller))[7];
    const { text } = await app.ask(`/events/${id}/proof`, { headers: { accept: 'application/json' } });
    const parts = JSON.parse(text);
    expect(parts).toMatchObject({ epoch: '1', index: '8', entry: expect.stringContaining(String(id)) });
    const fields = 'epoch index entry leafHash proof checkpoint';
    const data = await app.graphql<{ auditProof: unknown }>(`{ auditProof(eventId: "${id}") { ${fields} } }`);
    expect(data.auditProof).toEqual(parts);
  });

  it('is not there before there is a checkpoint over the event', async () => {
    await app.announce(caller, 1);
    await sealer.seal(caller.tenantId, { unsigned: 1 });
    const path = `/events/${(await app.eventIds(caller)).at(-1)}/proof`;
    const { status, code, headers } = await app.ask(path);
    expect([status, code, headers['retry-after']]).toEqual([409, 'audit.not_sealed', '5']);
    await sealer.seal(caller.tenantId);
    expect((await app.ask(path)).status).toBe(200);
  });

  it('is found for events that committed late, in whatever tile behind', async () => {
    await app.announce(caller, 700);
    const ids = await app.eventIds(caller);
    // Five stand behind all others, two tiles behind those of their time.
    const late = ids.slice(-700, -695);
    const leaves = [...ids.filter((id) => !late.includes(id)), ...late];
    await sealer.seal(caller.tenantId, { eventIds: leaves });
    for (const id of [...late, ids.at(-1)!, ids.at(-350)!]) {
      const { status, text } = await app.ask(`/events/${id}/proof`);
      expect(status).toBe(200);
      expect(text).toContain(`\nindex ${leaves.indexOf(id) + 1}\n`);
    }
    await sealer.seal(caller.tenantId);
  });

  it('is refused in the same words for another tenant’s event and for none', async () => {
    await app.tenant('other');
    const refusals = [];
    const [id] = await app.eventIds(caller);
    for (const asked of [id, newId()]) {
      const { text } = await app.ask(`/events/${asked}/proof`, { as: 'other' });
      refusals.push({ ...(JSON.parse(text) as object), requestId: '', instance: '' });
    }
    expect(refusals[0]).toEqual(refusals[1]);
    expect(refusals[0]).toMatchObject({ status: 404, code: 'resource.not_found' });
  });

  it('is not given for what is not what was sealed', async () => {
    const as = { as: 'altered' };
    const altered = await app.tenant('altered');
    await app.announce(altered, 5);
    await sealer.seal(altered.tenantId);
    const [id, next] = await app.eventIds(altered);
    await app.tamper(`update events.log set data = '{"n": 7}' where tenant_id = $1 and id = $2`, [
      altered.tenantId,
      id,
    ]);
    const { status, code } = await app.ask(`/events/${id}/proof`, as);
    expect([status, code]).toEqual([409, 'audit.event_altered']);
    expect((await app.ask(`/events/${next}/proof`, as)).status).toBe(200);
    const { bytes } = await app.ask('/log/tile/entries/000.p/6', as);
    const { bytes: hashes } = await app.ask('/log/tile/0/000.p/6', as);
    const differing = decodeEntryBundle(bytes, 6).flatMap((entry, at) =>
      leafHash(entry).equals(hashes.subarray(at * 32, at * 32 + 32)) ? [] : [at],
    );
    expect(differing).toEqual([1]);
  });

  it('is not given for an event that is said to have occurred two thousand years ago', async () => {
    const moved = await app.tenant('moved');
    await app.announce(moved, 1);
    await sealer.seal(moved.tenantId);
    const [id] = await app.eventIds(moved);
    await app.tamper(
      "update events.log set occurred_at = (occurred_at::text || ' BC')::timestamptz where tenant_id = $1",
      [moved.tenantId],
    );
    expect((await app.ask(`/events/${id}/proof`, { as: 'moved' })).code).toBe('audit.event_altered');
  });

  it('is under a cosigned checkpoint for whoever asks for that', async () => {
    const witness = generateSignerKey('witness.test/one', 'cosignature/v1');
    const cosigned = { ...policy, witnesses: { keys: [witness], quorum: 1 } };
    expect((await app.ask('/log/checkpoint?witnessed=true')).code).toBe('audit.not_sealed');
    const note = await sealer.seal(caller.tenantId);
    const { size } = parseCheckpoint(parseNote(note).text);
    await app.database.admin(
      `insert into audit.cosignatures (tenant_id, epoch, witness, size, note, signatures, cosigned_at)
       values ($1, 1, $2, $3, $4, $5, now())`,
      [
        caller.tenantId,
        formatVerifierKey(witness),
        size,
        note,
        formatSignature(signText(parseNote(note).text, witness)),
      ],
    );
    expect(openCheckpoint((await app.ask('/log/checkpoint')).text, cosigned).size).toBe(size);
    const [first] = await app.eventIds(caller);
    await app.announce(caller, 1);
    await sealer.seal(caller.tenantId);
    expect(openCheckpoint((await app.ask('/log/checkpoint?witnessed=true')).text, cosigned).size).toBe(size);
    const { text } = await app.ask(`/events/${first}/proof?witnessed=true`);
    expect(verifyProofFile(text, { entry: entryIn(text) }, cosigned).checkpoint.size).toBe(size);
    const { status } = await app.ask(`/events/${(await app.eventIds(caller)).at(-1)}/proof?witnessed=true`);
    expect(status).toBe(409);
  });

  // A log of a million events has 4,000 tiles, of 8 KB each.
  it.each([
    ['its proof', FIND_PROOF, [newId(), false]],
    ['a question', LIST_TILES, [1, '{0}', '{0}']],
  ])('reads the tiles of %s alone where nothing is known of the log’s size', async (_, asked, values) => {
    const [known] = await app.database.admin<{ count: number }>(
      "select count(*)::int as count from pg_stats where schemaname = 'audit' and tablename = 'tiles'",
    );
    expect(known).toEqual({ count: 0 });
    const plan = await settledPlan(app.database, caller, asked.text, values);
    const conditions = plan.match(/tiles_pkey on tiles.*\n *Index Cond: .*/g) ?? [];
    expect(conditions).toEqual([expect.stringMatching(/epoch = .*level = .*tile = /)]);
  });

  it('is recorded as a reading of the trail', async () => {
    const reader = await app.tenant('reader', 'operator:alice');
    await app.announce(reader, 1);
    await sealer.seal(reader.tenantId);
    const [id] = await app.eventIds(reader);
    await app.ask(`/events/${id}/proof`, { as: 'reader' });
    await app.ask('/log/tile/entries/000.p/2', { as: 'reader' });
    const read = await app.database.admin<{ data: object }>(
      `select data from events.log where tenant_id = $1 and type = 'audit.trail.read' order by seq`,
      [reader.tenantId],
    );
    expect(read.map(({ data }) => data)).toMatchObject([
      { what: 'proof', of: [id] },
      { what: 'entries', of: ['000.p/2'] },
    ]);
  });
});
