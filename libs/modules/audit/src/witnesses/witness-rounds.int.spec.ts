import { generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type Caller, newId } from '@holdfast/kernel';
import { Grants } from '@holdfast/tenancy';
import { eventually, type Received, Receiver, TestWitness } from '@holdfast/testing';
import {
  formatSignature,
  formatVerifierKey,
  generateSignerKey,
  openCheckpoint,
  parseNote,
  parseVerifierKey,
  signerKey,
  signText,
} from '@holdfast/tlog';
import { AuditApp } from '../../test/audit-app';
import { TestSealer } from '../../test/test-sealer';
import { originOf, treeVerifierKey } from '../sealing/log-keys';
import type { WitnessPlace } from './witness';
import { WitnessRounds, type WitnessRoundsOptions } from './witness-rounds';

interface OfferRow {
  readonly outcome: string | null;
  readonly failures: number;
  readonly is_waiting: boolean;
}

describe('Witnesses', () => {
  let app: AuditApp;
  let sealer: TestSealer;
  let grants: Grants;
  const reports: string[] = [];
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    app = await AuditApp.start();
    sealer = await TestSealer.create(app.database);
    grants = new Grants(app.database.as('holdfast_auth', 2));
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    // Of one test's tenants nothing is due in the next one.
    await app.database.admin("update audit.offers set due_at = 'infinity'");
    await app.database.admin('delete from events.heads');
    if (reports.length > 0) throw new Error(reports.splice(0).join('\n'));
  });
  afterAll(async () => {
    await sealer.close();
    grants.close();
    await app.close();
  });

  function rounds(
    configured: readonly WitnessPlace[],
    more: Partial<WitnessRoundsOptions> = {},
  ): WitnessRounds {
    const started = new WitnessRounds({
      tenants: app.database.tenants(4),
      relay: app.database.as('holdfast_relay', 2),
      grants,
      settings: { configured, allowedNetworks: [] },
      report: (error, doing) => void reports.push(`${doing}: ${String(error)}`),
      limits: { totalMs: 700 },
      offerEverySeconds: 0,
      ...more,
    });
    closing.push(() => started.stop());
    return started;
  }

  /** A witness that trusts the log of the tenant. */
  async function witnessOf(caller: Caller, name?: string): Promise<TestWitness> {
    const witness = await TestWitness.start(name);
    closing.push(() => witness.stop());
    const tree = { tenantId: caller.tenantId, epoch: 1 };
    const key = formatVerifierKey(treeVerifierKey(sealer.logName, tree, sealer.publicKey));
    witness.trust(originOf(sealer.logName, tree), key);
    return witness;
  }

  async function badWitness(behave: (response: ServerResponse, got: Received) => unknown): Promise<Receiver> {
    const receiver = await Receiver.start(behave);
    closing.push(() => receiver.stop());
    return receiver;
  }

  async function sealed(name: string, events = 3): Promise<Caller> {
    const caller = await app.tenant(name);
    await app.announce(caller, events);
    await sealer.seal();
    return caller;
  }

  const placeOf = ({ verifierKey, url }: TestWitness): WitnessPlace => ({ verifierKey, url });
  const strangers = (): string => formatVerifierKey(generateSignerKey('bad.example/w', 'cosignature/v1'));

  async function offerOf({ tenantId }: Caller, witness: string): Promise<OfferRow | undefined> {
    const [row] = await app.database.admin<OfferRow>(
      `select outcome, failures, waiting_since is not null as is_waiting from audit.offers
       where tenant_id = $1 and witness = $2`,
      [tenantId, witness],
    );
    return row;
  }

  const due = (): Promise<unknown> => app.database.admin("update audit.offers set due_at = '-infinity'");

  /** The newest checkpoint as the API shows it, which has to be cosigned. */
  async function cosignedSize(
    name: string,
    { tenantId }: Caller,
    ...witnesses: TestWitness[]
  ): Promise<bigint> {
    const tree = { tenantId, epoch: 1 };
    const { text } = await app.ask('/log/checkpoint', { as: name });
    const keys = witnesses.map(({ verifierKey }) => parseVerifierKey(verifierKey));
    return openCheckpoint(text, {
      origin: originOf(sealer.logName, tree),
      logKeys: [treeVerifierKey(sealer.logName, tree, sealer.publicKey)],
      witnesses: { keys, quorum: keys.length },
    }).size;
  }

  it('cosign what is sealed, and what is sealed later from where they were', async () => {
    const caller = await sealed('grows');
    const [one, two] = [await witnessOf(caller, 'one.example/w'), await witnessOf(caller, 'two.example/w')];
    const round = rounds([placeOf(one), placeOf(two)]);
    await round.offerDue();
    expect(await cosignedSize('grows', caller, one, two)).toBe(4n);
    await app.announce(caller, 300);
    await sealer.seal();
    await round.offerDue();
    expect(await cosignedSize('grows', caller, one, two)).toBe(304n);
    await round.offerDue();
    expect(one.answered).toEqual(['POST /add-checkpoint 200', 'POST /add-checkpoint 200']);
    expect(await offerOf(caller, one.verifierKey)).toMatchObject({ outcome: 'cosigned', is_waiting: false });
  });

  it('are asked again from the size that they are at', async () => {
    const caller = await sealed('forgot');
    const witness = await witnessOf(caller);
    const round = rounds([placeOf(witness)]);
    await round.offerDue();
    await app.database.admin('delete from audit.cosignatures where tenant_id = $1', [caller.tenantId]);
    await app.announce(caller, 5);
    await sealer.seal();
    await round.offerDue();
    expect(witness.answered).toEqual([200, 409, 200].map((status) => `POST /add-checkpoint ${status}`));
    expect(await cosignedSize('forgot', caller, witness)).toBe(9n);
  });

  it('of one tenant alone cosign nothing of others', async () => {
    const [own, other] = [await sealed('own'), await sealed('without')];
    const witness = await witnessOf(own);
    await app.database.admin(
      `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by) values ($1, $2, $3, $4, 'test')`,
      [own.tenantId, newId(), witness.verifierKey, witness.url],
    );
    const settings = { configured: [], allowedNetworks: ['127.0.0.0/8'] };
    await rounds([], { settings }).offerDue();
    expect(await cosignedSize('own', own, witness)).toBe(4n);
    expect(await offerOf(other, witness.verifierKey)).toBeUndefined();
    expect(witness.answered).toHaveLength(1);
  });

  it('of tenants are not reached inside our network', async () => {
    const caller = await sealed('inside');
    const witness = await witnessOf(caller);
    await app.database.admin(
      `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by) values ($1, $2, $3, $4, 'test')`,
      [caller.tenantId, newId(), witness.verifierKey, witness.url],
    );
    await rounds([]).offerDue();
    expect(witness.answered).toEqual([]);
    expect(await offerOf(caller, witness.verifierKey)).toMatchObject({ outcome: 'address_refused' });
  });

  it('that are removed are offered nothing more', async () => {
    const caller = await sealed('removed');
    const witness = await witnessOf(caller);
    await app.database.admin('insert into audit.offers (tenant_id, witness) values ($1, $2)', [
      caller.tenantId,
      witness.verifierKey,
    ]);
    await rounds([]).offerDue();
    expect(witness.answered).toEqual([]);
  });

  it('are asked by one worker at a time', async () => {
    const caller = await sealed('contended');
    const witness = await witnessOf(caller);
    const workers = Array.from({ length: 3 }, () => rounds([placeOf(witness)]));
    await Promise.all(workers.map((worker) => worker.offerDue()));
    expect(witness.answered).toEqual(['POST /add-checkpoint 200']);
  });

  it('of one tenant are not held up by what another has written beside the same key', async () => {
    const [honest, hostile] = [await sealed('honest'), await sealed('hostile')];
    const witness = await witnessOf(honest);
    const hanging = await badWitness(() => {});
    const settings = { configured: [], allowedNetworks: ['127.0.0.0/8'] };
    for (const [{ tenantId }, url] of [
      [hostile, `http://127.0.0.1:${hanging.port}`],
      [honest, witness.url],
    ] as const)
      await app.database.admin(
        `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by) values ($1, $2, $3, $4, 'test')`,
        [tenantId, newId(), witness.verifierKey, url],
      );
    const offering = rounds([], { settings, limits: { totalMs: 60_000 } }).offerDue();
    await eventually(async () => (await offerOf(honest, witness.verifierKey))?.outcome === 'cosigned');
    await eventually(() => hanging.received.length > 0);
    expect((await offerOf(hostile, witness.verifierKey))?.outcome).toBeNull();
    await hanging.stop();
    await offering;
  });

  it('are asked for others though tenants that were erased are there as well', async () => {
    const erased = [await sealed('erased'), await sealed('erased too'), await sealed('erased as well')];
    const caller = await sealed('stays');
    const witness = await witnessOf(caller);
    await app.database.admin(
      `insert into auth.tenants (id, state, plan) select unnest($1::uuid[]), 'erased', 'standard'
       on conflict (id) do update set state = 'erased'`,
      [erased.map(({ tenantId }) => tenantId)],
    );
    // A page has room for one: whoever is always found first would be the only one that is.
    const round = rounds([placeOf(witness)], { dueMax: 1 });
    for (let looks = 0; looks < 4; looks += 1) await round.offerDue();
    expect(await cosignedSize('stays', caller, witness)).toBe(4n);
  });

  it('have nothing to cosign before there is a checkpoint', async () => {
    const caller = await app.tenant('unsealed');
    await app.announce(caller, 1);
    await sealer.seal();
    await app.database.admin('delete from audit.checkpoints where tenant_id = $1', [caller.tenantId]);
    const witness = await witnessOf(caller);
    await rounds([placeOf(witness)]).offerDue();
    expect(witness.answered).toEqual([]);
    expect(await offerOf(caller, witness.verifierKey)).toMatchObject({ outcome: null, is_waiting: false });
  });

  const liar = signerKey('bad.example/w', generateKeyPairSync('ed25519').privateKey, 'cosignature/v1');
  /** Signs with the key that it is known by. */
  const LATE = generateSignerKey('late.example/w', 'cosignature/v1');
  const BAD: readonly [string, string, (response: ServerResponse, got: Received) => unknown][] = [
    ['answer nothing', 'timeout', () => {}],
    ['hang up', 'connection_lost', (response) => response.destroy()],
    ['fail', 'status_500', (response) => response.writeHead(500).end('broken')],
    ['do not know the log', 'status_404', (response) => response.writeHead(404).end()],
    [
      'send others elsewhere',
      'status_302',
      (response) => response.writeHead(302, { location: 'http://a/' }).end(),
    ],
    ['answer nonsense', 'malformed_response', (response) => response.writeHead(200).end('yes\n')],
    [
      'sign with another key',
      'unsigned',
      (response, { body }) => {
        const { text } = parseNote(body.slice(body.indexOf('\n\n') + 2));
        response.writeHead(200).end(formatSignature(signText(text, liar)));
      },
    ],
    [
      'have no clock',
      'wrong_time',
      (response, { body }) => {
        const { text } = parseNote(body.slice(body.indexOf('\n\n') + 2));
        response.writeHead(200).end(formatSignature(signText(text, LATE, 2n ** 62n)));
      },
    ],
    ['say that they are further', 'ahead', (response) => response.writeHead(409).end('99999\n')],
    ['say a size that is none', 'malformed_response', (response) => response.writeHead(409).end('-1\n')],
    [
      'are at another size each time',
      'status_409',
      (response) => response.writeHead(409).end(`${1 + Math.floor(Math.random() * 2)}\n`),
    ],
    [
      'have no end',
      'malformed_response',
      (response) => {
        response.writeHead(200);
        const more = setInterval(() => response.write('x'.repeat(50_000)), 5);
        response.on('close', () => clearInterval(more));
      },
    ],
  ];
  it.each(BAD)('that %s hold up nobody: %s', async (what, outcome, behave) => {
    const caller = await sealed(what);
    const bad = await badWitness(behave);
    const good = await witnessOf(caller);
    const verifierKey = outcome === 'wrong_time' ? formatVerifierKey(LATE) : strangers();
    const round = rounds([{ verifierKey, url: `http://127.0.0.1:${bad.port}` }, placeOf(good)]);
    const offering = round.offerDue();
    await app.announce(caller, 1);
    await sealer.seal();
    await offering;
    expect(bad.received.length).toBeGreaterThan(0);
    await due();
    await round.offerDue();
    expect(await cosignedSize(what, caller, good)).toBe(5n);
    const row = await offerOf(caller, verifierKey);
    // A size is told at random, and may be the one that is asked for.
    if (outcome === 'status_409') expect(['status_409', 'malformed_response']).toContain(row?.outcome);
    else expect(row?.outcome).toBe(outcome);
    expect(row).toMatchObject({ failures: 2, is_waiting: true });
    const [{ count } = { count: 0 }] = await app.database.admin<{ count: number }>(
      'select count(*)::int as count from audit.cosignatures where witness = $1',
      [verifierKey],
    );
    expect(count).toBe(0);
  });

  it('that are away hold up nobody, and are left alone after some failures', async () => {
    const caller = await sealed('away');
    const gone = await badWitness((response) => response.writeHead(503).end());
    const verifierKey = strangers();
    const place = { verifierKey, url: `http://127.0.0.1:${gone.port}` };
    const round = rounds([place]);
    for (let offers = 0; offers < 8; offers += 1) {
      await due();
      await round.offerDue();
    }
    expect(gone.received).toHaveLength(5);
    expect(await offerOf(caller, verifierKey)).toMatchObject({ outcome: 'circuit_open', failures: 8 });
    await gone.stop();
    await due();
    await rounds([place]).offerDue();
    expect(await offerOf(caller, verifierKey)).toMatchObject({ outcome: 'connection_refused' });
  });

  it('are not begun with where a configured key is none of a witness', () => {
    const verifierKey = formatVerifierKey(generateSignerKey('log.example'));
    expect(() => rounds([{ verifierKey, url: 'http://127.0.0.1' }])).toThrow('cosignatures');
    closing.length = 0;
  });
});
