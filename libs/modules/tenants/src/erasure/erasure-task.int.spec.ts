import { generateKeyPairSync } from 'node:crypto';
import { CreateApiKey, generateApiKey } from '@holdfast/identity';
import { Grants } from '@holdfast/tenancy';
import { TenantsApp } from '../../test/tenants-app';
import { RequestExport } from '../exports/request-export.command';
import { TaskRunner } from '@holdfast/tasks';
import { TenantDirectory } from '../tenant-directory.query';
import { ErasureReceipts } from './erasure-receipts.query';
import { type ErasableStore, ErasureTask } from './erasure-task';
import { OrderErasure } from './order-erasure.command';
import { ReceiptSigner } from './receipt-signer';

/** An erasure ends, wherever its worker dies, and does not begin before it may. */
describe('An erasure', () => {
  let app: TenantsApp;
  let signer: ReceiptSigner;

  beforeAll(async () => {
    app = await TenantsApp.start();
    const { privateKey } = generateKeyPairSync('ed25519');
    signer = await ReceiptSigner.from(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  });
  afterAll(() => app.close());

  interface Wiring {
    readonly signed?: boolean;
    readonly blocked?: () => string | undefined;
    /** The name of a store that keeps what it got. */
    readonly keeper?: string;
    readonly store?: ErasableStore;
    /** Dies at its n-th transaction: nothing that it has begun ever returns. */
    readonly diesAt?: number;
    readonly onStep?: (step: string) => Promise<void>;
  }

  function worker({
    signed = true,
    blocked = () => undefined,
    keeper,
    store,
    diesAt = Infinity,
    onStep = async () => {},
  }: Wiring = {}): TaskRunner {
    const tenants = app.database.tenants(2);
    const relay = app.database.as('holdfast_relay', 1);
    let transactions = 0;
    const counted = tenants.transaction.bind(tenants);
    tenants.transaction = (caller, work) => {
      transactions += 1;
      return transactions >= diesAt ? new Promise<never>(() => {}) : counted(caller, work);
    };
    const erasure = new ErasureTask({
      relay,
      stores: store ? [store] : [],
      ...(keeper !== undefined && { keepers: [{ name: keeper, keeps: 'a week' }] }),
      blockers: [async () => blocked()],
      forget: async () => {},
      signer: signed ? signer : undefined,
      quietSeconds: 0,
      onStep,
    });
    const grants = new Grants(app.database.as('holdfast_auth', 1));
    return new TaskRunner({ tenants, relay, grants, kinds: [erasure], report: () => {} });
  }

  async function ordered(slug: string): Promise<string> {
    const caller = await app.tenant(slug);
    const input = { name: 'key', scopes: ['*' as const] };
    await app.do(new CreateApiKey(caller, input, generateApiKey('live')));
    await app.do(new RequestExport(caller, {}));
    await app.do(new OrderErasure(caller, { graceDays: 0, confirmSlug: slug }));
    return caller.tenantId;
  }

  const show = (id: string) => app.get(TenantDirectory).get(id);
  /** What time does: leases end, and what waits is due. */
  const later = () =>
    app.database.admin('update tenants.tasks set lease_until = null, due_at = clock_timestamp()');

  /** Says of a store that it has been handed all there is. */
  async function handedAll(store: string): Promise<void> {
    await app.database.admin(
      `insert into events.ticks (id, snapshot, event_count, wal_lsn, fence)
       select 1 + coalesce(max(id), 0), pg_current_snapshot(), 1, pg_current_wal_lsn(), 1 from events.ticks`,
    );
    await app.database.admin(
      `insert into events.store_cursors (group_name, from_tick) select $1, max(id) from events.ticks`,
      [store],
    );
  }

  it('goes on in another process where the one before it died', async () => {
    const id = await ordered('dying');
    let deaths = 0;
    for (let diesAt = 2; (await show(id)).state !== 'erased' && deaths < 50; diesAt = 2 + (deaths % 9)) {
      const dying = worker({ diesAt }).runDue();
      const dead = new Promise<'dead'>((resolve) => setTimeout(resolve, 700, 'dead'));
      if ((await Promise.race([dying, dead])) === 'dead') deaths += 1;
      await later();
    }
    expect(await show(id)).toMatchObject({ state: 'erased', slug: null });
    expect(deaths).toBeGreaterThan(3);
    const { receipt } = await app.get(ErasureReceipts).get(id);
    const said = JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(said).toMatchObject({
      tenantId: id,
      events: 4,
      tables: { 'tenants.tenants': 1, 'identity.api_keys': 1, 'auth.credentials': 1 },
      check: { rowsLeft: 0 },
    });
  }, 90_000);

  it('waits while something is open, and says to the operator what', async () => {
    const id = await ordered('blocked');
    let reason: string | undefined = 'holds are open on 1 accounts of the ledger';
    await worker({ blocked: () => reason }).runDue();
    expect(await show(id)).toMatchObject({ state: 'closing', erasure: { postponed: reason } });
    reason = undefined;
    await later();
    for (let turns = 0; turns < 5; turns += 1) await worker().runDue();
    expect(await show(id)).toMatchObject({ state: 'erased' });
  }, 30_000);

  it('goes back to the rows where something left one behind them', async () => {
    const id = await ordered('late');
    const steps: string[] = [];
    const onStep = async (step: string): Promise<void> => {
      steps.push(step);
      // As a sealer does that had made the tree's checkpoint before the tree was deleted.
      if (step === 'finish' && !steps.slice(0, -1).includes('finish'))
        await app.database.admin(
          `insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
           values ($1, 1, date_trunc('hour', now()), 1, decode(repeat('00', 32), 'hex'), 'a note')`,
          [id],
        );
    };
    for (let turns = 0; turns < 5; turns += 1) {
      await worker({ onStep }).runDue();
      await later();
    }
    expect(await show(id)).toMatchObject({ state: 'erased' });
    expect(steps.slice(steps.indexOf('finish'))).toEqual(['finish', 'rows', 'rows', 'finish']);
  }, 30_000);

  it('goes back to a store that has rows again behind it', async () => {
    const id = await ordered('again');
    await handedAll('archive');
    const steps: string[] = [];
    let rows = 3n;
    const store: ErasableStore = {
      name: 'archive',
      countRows: async () => rows,
      eraseTenant: async () => void (rows = 0n),
    };
    const onStep = async (step: string): Promise<void> => {
      // As an ingest does that had spilled them while the store was away.
      if (step === 'finish' && !steps.includes('finish')) rows = 2n;
      steps.push(step);
    };
    for (let turns = 0; turns < 5; turns += 1) {
      await worker({ store, onStep }).runDue();
      await later();
    }
    expect([(await show(id)).state, rows]).toEqual(['erased', 0n]);
    expect(steps.filter((step) => step !== 'rows')).toEqual([
      'begin',
      'quiet',
      'stores',
      'finish',
      'stores',
      'finish',
    ]);
    const { receipt } = await app.get(ErasureReceipts).get(id);
    const said = JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(said).toMatchObject({ stores: { archive: '3' } });
  }, 30_000);

  it('waits for a store that keeps what it gets, and says so on the receipt', async () => {
    const id = await ordered('kept');
    // Nothing has a tick here, so the store has been handed nothing; then it is said to have been handed all there is.
    await worker({ keeper: 'kafka' }).runDue();
    await later();
    await worker({ keeper: 'kafka' }).runDue();
    expect(await show(id)).toMatchObject({
      state: 'erasing',
      erasure: { postponed: 'events are on their way to kafka' },
    });
    await handedAll('kafka');
    for (let turns = 0; turns < 5; turns += 1) {
      await later();
      await worker({ keeper: 'kafka' }).runDue();
    }
    const { receipt } = await app.get(ErasureReceipts).get(id);
    const said = JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(said).toMatchObject({ tenantId: id, stores: {}, kept: { kafka: 'a week' } });
  }, 30_000);

  it('does not begin without a key to sign the receipt with', async () => {
    const id = await ordered('unsigned');
    await worker({ signed: false }).runDue();
    const { state, erasure } = await show(id);
    expect([state, erasure?.postponed]).toEqual(['closing', expect.stringContaining('RECEIPT_KEY_PRIVATE')]);
  });
});
