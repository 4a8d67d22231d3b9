import { gunzipSync } from 'node:zlib';
import { type Caller, newId } from '@holdfast/kernel';
import {
  bundlesOf,
  checkTiles,
  decodeEntryBundle,
  leafHash,
  type LogPolicy,
  openCheckpoint,
  parseVerifierKey,
  tilePath,
  tileReader,
  verifyConsistency,
  verifyProofFile,
} from '@holdfast/tlog';
import { AuditApp, entryIn } from '../../test/audit-app';
import { HandSealer } from '../../test/hand-sealer';

/** Two full tiles of leaves and a partial one, which make a partial one of level 1. */
const EVENTS = 600;

describe('The log over HTTP', () => {
  let app: AuditApp;
  let caller: Caller;
  let sealer: HandSealer;

  beforeAll(async () => {
    app = await AuditApp.start();
    caller = await app.tenant('caller');
    app.nobody('nobody', caller);
    sealer = new HandSealer(app.database);
    await app.announce(caller, EVENTS);
    await sealer.seal(caller.tenantId);
  });
  afterAll(() => app.close());

  const policyOf = (tenantId: string, by = sealer, epoch = 1): LogPolicy => {
    const key = parseVerifierKey(by.verifierKey(tenantId, epoch));
    return { origin: key.name, logKeys: [key] };
  };
  const read = async (path: string): Promise<Buffer> => {
    const { status, bytes } = await app.ask(`/log/${path}`);
    expect([path, status]).toEqual([path, 200]);
    return bytes;
  };

  it('is whole: tiles add up to the checkpoint, and entries are what the leaves are the hashes of', async () => {
    const { text: note } = await app.ask('/log/checkpoint');
    const { text: keys } = await app.ask('/log/key');
    const logKeys = keys.trimEnd().split('\n').map(parseVerifierKey);
    const { size, root } = openCheckpoint(note, { ...policyOf(caller.tenantId), logKeys });
    expect(size).toBe(BigInt(EVENTS + 1));
    const reader = tileReader((level, index, width) => read(tilePath({ level, index, width })));
    expect(await checkTiles(reader, size)).toEqual(root);
    for (const bundle of bundlesOf(size)) {
      const entries = decodeEntryBundle(await read(tilePath(bundle)), bundle.width);
      const hashes = await read(tilePath({ ...bundle, level: 0 }));
      expect(Buffer.concat(entries.map((entry) => leafHash(entry)))).toEqual(hashes);
    }
  });

  it('serves nothing that is not under a checkpoint', async () => {
    const signed = EVENTS + 1 - 512;
    await app.announce(caller, 10);
    await sealer.seal(caller.tenantId, { unsigned: 10 });
    expect(await app.ask(`/log/tile/0/002.p/${signed}`)).toMatchObject({ status: 200 });
    for (const path of [`0/002.p/${signed + 1}`, '0/002', '0/003.p/1', '1/000.p/3', '2/000.p/1', '8/000']) {
      const { status, code, headers } = await app.ask(`/log/tile/${path}`);
      expect([path, status, code]).toEqual([path, 404, 'resource.not_found']);
      expect(headers['cache-control'] ?? '').not.toContain('immutable');
    }
    expect(await app.ask(`/log/tile/entries/002.p/${signed + 1}`)).toMatchObject({ status: 404 });
    await sealer.seal(caller.tenantId);
    expect(await app.ask(`/log/tile/0/002.p/${signed + 1}`)).toMatchObject({ status: 200 });
  });

  it('lets tiles of an epoch be kept for ever, and nothing by whoever has another credential', async () => {
    const kept = async (path: string) => {
      const { status, headers } = await app.ask(path);
      expect([path, status]).toEqual([path, 200]);
      expect(String(headers['vary'])).toContain('authorization, holdfast-tenant');
      return headers['cache-control'];
    };
    expect(await kept('/log/epochs/1/tile/0/000')).toBe('private, max-age=31536000, immutable');
    // The next epoch has another tile of this name.
    for (const path of ['/log/tile/0/000', '/log/checkpoint', '/log/key', '/log/epochs/1/checkpoint'])
      expect([path, await kept(path)]).toEqual([path, 'private, max-age=2']);
    for (const path of ['/log/tile/entries/000', '/log/epochs/1/tile/entries/000'])
      expect([path, await kept(path)]).toEqual([path, 'private, no-cache']);
    const { bytes } = await app.ask('/log/tile/0/000');
    expect((await app.ask('/log/tile/0/000.p/7')).bytes).toEqual(bytes.subarray(0, 7 * 32));
  });

  it('compresses entries for whoever takes that', async () => {
    const ask = (accepted: string) =>
      app.ask('/log/tile/entries/000', { headers: { 'accept-encoding': accepted } });
    const [plain, packed, refused] = [await ask('br'), await ask('br, gzip'), await ask('gzip;q=0')];
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'authorization, holdfast-tenant, accept-encoding',
    });
    expect(gunzipSync(packed.bytes)).toEqual(plain.bytes);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 2);
    expect(refused.bytes).toEqual(plain.bytes);
  });

  it.each(['0/0', '0/x000/000', '0/000.p/256', '0/000.p/0', '00/000', '0/000/', 'x/000', '0/../key'])(
    'has one name for each tile, and %s is none',
    async (path) => {
      expect([404, 422]).toContain((await app.ask(`/log/tile/${path}`)).status);
    },
  );

  it('is another one for each tenant', async () => {
    const other = await app.tenant('other');
    await app.announce(other, 1);
    await sealer.seal(other.tenantId);
    expect((await app.ask('/log/tile/0/001', { as: 'other' })).status).toBe(404);
    expect((await app.ask('/log/tile/entries/001', { as: 'other' })).status).toBe(404);
    const { text } = await app.ask('/log/checkpoint', { as: 'other' });
    expect(text).toContain(`/${other.tenantId}/1\n2\n`);
  });

  it('says that nothing is sealed where nothing is', async () => {
    await app.tenant('fresh');
    for (const path of ['/log/checkpoint', '/log/key', '/log/consistency?from=1', '/log/tile/0/000.p/1']) {
      const { status, code, headers } = await app.ask(path, { as: 'fresh' });
      expect([path, status, code, headers['retry-after']]).toEqual([path, 409, 'audit.not_sealed', '5']);
    }
    expect(JSON.parse((await app.ask('/log/epochs', { as: 'fresh' })).text)).toEqual({
      data: [],
      nextCursor: null,
    });
  });

  it('takes the scope audit:read', async () => {
    const ofEpoch = ['/key', '/checkpoint', '/consistency?from=1', '/tile/0/000', '/tile/entries/000'];
    const paths = ofEpoch.flatMap((path) => [`/log${path}`, `/log/epochs/1${path}`]);
    for (const path of [...paths, '/log/epochs', `/events/${newId()}/proof`])
      expect([path, (await app.ask(path, { as: 'nobody' })).status]).toEqual([path, 403]);
  });

  it('proves that it has only grown', async () => {
    const sizes = [
      [1, 2],
      [255, 257],
      [256, 512],
      [512, 600],
      [600, 600],
    ] as const;
    for (const [from, to] of sizes) {
      const { text } = await app.ask(`/log/consistency?from=${from}&to=${to}`);
      const { oldRoot, newRoot, proof, ...rest } = JSON.parse(text);
      expect(rest).toMatchObject({ epoch: '1', from: String(from), to: String(to) });
      const [old, grown, ...hashes] = [oldRoot, newRoot, ...proof].map((hash) => Buffer.from(hash, 'base64'));
      verifyConsistency({ oldSize: from, oldRoot: old!, newSize: to, newRoot: grown!, proof: hashes });
    }
    const { text } = await app.ask('/log/consistency?from=9');
    const { to, newRoot, checkpoint, proof } = JSON.parse(text);
    const { size, root } = openCheckpoint(checkpoint, policyOf(caller.tenantId));
    expect([to, newRoot]).toEqual([String(size), root.toString('base64')]);
    const lines = await app.ask('/log/consistency?from=9', { headers: { accept: 'text/plain' } });
    expect(lines.text).toBe(proof.map((hash: string) => `${hash}\n`).join(''));
  });

  it.each(['?from=5&to=4', '?from=1&to=99999', '?from=-1', '?from=x', '?from=1.5', ''])(
    'refuses the sizes %s',
    async (sizes) => {
      expect((await app.ask(`/log/consistency${sizes}`)).status).toBe(422);
    },
  );

  it('has its epochs by themselves, with the keys of each', async () => {
    const as = { as: 'restored' };
    const restored = await app.tenant('restored');
    const { tenantId } = restored;
    const after = new HandSealer(app.database);
    await app.announce(restored, 3);
    await sealer.seal(tenantId);
    const before = await app.eventIds(restored);
    await app.announce(restored, 2);
    const events = await app.eventIds(restored);
    await after.seal(tenantId, { epoch: 2, eventIds: events.slice(before.length) });
    const { data, nextCursor } = JSON.parse((await app.ask('/log/epochs?limit=1', as)).text);
    expect(data).toMatchObject([{ epoch: '2', size: '3', prunedTo: '0' }]);
    const next = JSON.parse((await app.ask(`/log/epochs?after=${nextCursor}`, as)).text);
    expect(next).toMatchObject({ data: [{ epoch: '1', size: '4' }], nextCursor: null });
    expect((await app.ask('/log/checkpoint', as)).text).toContain(`/${tenantId}/2\n3\n`);
    expect((await app.ask('/log/epochs/1/checkpoint', as)).text).toContain(`/${tenantId}/1\n4\n`);
    expect((await app.ask('/log/epochs/1/key', as)).text).toBe(`${sealer.verifierKey(tenantId, 1)}\n`);
    expect((await app.ask('/log/key', as)).text).toBe(`${after.verifierKey(tenantId, 2)}\n`);
    expect((await app.ask('/log/tile/0/000.p/4', as)).status).toBe(404);
    for (const path of ['tile/0/000.p/4', 'tile/entries/000.p/4', 'consistency?from=2&to=4'])
      expect([path, (await app.ask(`/log/epochs/1/${path}`, as)).status]).toEqual([path, 200]);
    for (const [id, policy] of [
      [events[0], policyOf(tenantId, sealer, 1)],
      [events[4], policyOf(tenantId, after, 2)],
    ] as const) {
      const { text } = await app.ask(`/events/${id}/proof`, as);
      verifyProofFile(text, { entry: entryIn(text) }, policy);
    }
    for (const epoch of ['3', '0', 'x', '99999999999', newId()])
      expect([epoch, (await app.ask(`/log/epochs/${epoch}/checkpoint`, as)).status]).toEqual([epoch, 404]);
  });

  it('tells what the retention has removed from what somebody has', async () => {
    const as = { as: 'pruned' };
    const pruned = await app.tenant('pruned');
    await app.announce(pruned, 300);
    await sealer.seal(pruned.tenantId);
    const events = await app.eventIds(pruned);
    const gone = events.slice(0, 100);
    await app.tamper('delete from events.log where tenant_id = $1 and id = any ($2)', [
      pruned.tenantId,
      gone,
    ]);
    const { status, code } = await app.ask('/log/tile/entries/000', as);
    expect([status, code]).toEqual([410, 'audit.entries_missing']);
    await app.database.admin('update audit.epochs set pruned_to = 101 where tenant_id = $1', [
      pruned.tenantId,
    ]);
    const removed = await app.ask('/log/tile/entries/000', as);
    expect([removed.status, removed.code]).toEqual([410, 'audit.entries_pruned']);
    for (const path of ['entries/001.p/45', '0/000'])
      expect([path, (await app.ask(`/log/tile/${path}`, as)).status]).toEqual([path, 200]);
    expect((await app.ask(`/events/${gone[0]}/proof`, as)).status).toBe(404);
    expect((await app.ask(`/events/${events[100]}/proof`, as)).status).toBe(200);
  });

  it('answers the same over GraphQL', async () => {
    const text = async (path: string): Promise<string> => (await app.ask(path)).text;
    const { auditCheckpoint } = await app.graphql<{ auditCheckpoint: { note: string } }>(
      '{ auditCheckpoint { epoch size note } }',
    );
    expect(auditCheckpoint.note).toBe(await text('/log/checkpoint'));
    const { auditConsistency } = await app.graphql<{ auditConsistency: unknown }>(
      '{ auditConsistency(fromSize: 9, toSize: 99) { epoch from to oldRoot newRoot proof checkpoint } }',
    );
    expect(auditConsistency).toEqual(JSON.parse(await text('/log/consistency?from=9&to=99')));
    const { auditEpochs } = await app.graphql<{ auditEpochs: { edges: readonly { node: unknown }[] } }>(
      '{ auditEpochs { edges { node { epoch size begunAt prunedTo entry } } } }',
    );
    expect(auditEpochs.edges.map(({ node }) => node)).toEqual(JSON.parse(await text('/log/epochs')).data);
  });
});
