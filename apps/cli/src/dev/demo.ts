import { deterministicId } from '@holdfast/kernel';
import type { Step } from '../output';
import type { DemoTenant } from './dev-file';
import { type DevSecrets, saveDevSecrets } from './dev-secrets';

/** The API refused a request of the demo, or answered in a shape that it does not have. */
export class DemoFailed extends Error {
  override readonly name = 'DemoFailed';
}

/** Who the demo is about. Both have the same accounts, so that a leak between them would show. */
const TENANTS = [
  { slug: 'acme', name: 'Acme Ltd' },
  { slug: 'globex', name: 'Globex Corporation' },
] as const;

const ACCOUNTS = [
  { code: 'cash', normalBalance: 'debit', limit: 'credits_must_not_exceed_debits' },
  { code: 'sales', normalBalance: 'credit', limit: 'none' },
  { code: 'rent', normalBalance: 'debit', limit: 'none' },
  { code: 'capital', normalBalance: 'credit', limit: 'none' },
] as const;

type AccountCode = (typeof ACCOUNTS)[number]['code'];

/** A few hundred in all: enough for lists to have pages and for series to have a shape, done in about a second. */
const TRANSFERS_PER_TENANT = 150;
/** As a handful of clients would send them; each batch is posted together. */
const AT_ONCE = 10;

/**
 * Makes the demo through the public API, as any client would: tenants and keys as the operator, the rest with their keys.
 *
 * Every request has an idempotency key that is the same at each start, and keys are saved as soon as they are there, so a
 * demo that was interrupted is completed by the next start and nothing is made twice.
 */
export async function makeDemo(
  api: string,
  directory: string,
  secrets: DevSecrets,
  step: Step,
): Promise<DevSecrets> {
  const tenants = [...secrets.tenants];
  const total = TENANTS.length * TRANSFERS_PER_TENANT;
  for (const [index, { slug, name }] of TENANTS.entries()) {
    let tenant = tenants.find((known) => known.slug === slug);
    if (!tenant) {
      tenant = await makeTenant(new Client(api, secrets.operatorKey), slug, name);
      tenants.push(tenant);
      saveDevSecrets(directory, { ...secrets, tenants });
    }
    if (tenant.writeKey === null) {
      const writeKey = await makeWriteKey(new Client(api, tenant.adminKey));
      tenants[tenants.indexOf(tenant)] = { ...tenant, writeKey };
    }
    const done = index * TRANSFERS_PER_TENANT;
    await makeLedger(new Client(api, tenant.adminKey), slug, (posted) => step.progress(done + posted, total));
  }
  const complete = { ...secrets, tenants, demoDone: true };
  saveDevSecrets(directory, complete);
  return complete;
}

async function makeTenant(operator: Client, slug: string, name: string): Promise<DemoTenant> {
  const { id } = await operator.post('/v1/operator/tenants', `demo ${slug}`, { slug, name });
  // A key of its own for each try: a replay of the first would not show the secret again.
  const keyName = `demo ${slug} ${Date.now()}`;
  const { secret } = await operator.post(`/v1/operator/tenants/${id}/api-keys`, keyName, {
    name: 'demo',
    scopes: ['*'],
    reason: 'The demo was interrupted before it could keep its key',
  });
  if (!secret) throw new DemoFailed(`The API showed no key for ${slug}.`);
  return { id, slug, adminKey: secret, writeKey: null };
}

/** A replay shows the same key again. */
async function makeWriteKey(client: Client): Promise<string> {
  const { id, key } = await client.post('/v1/telemetry/write-keys', 'demo write key', { name: 'demo' });
  if (!key) throw new DemoFailed(`The API showed no text of the write key ${id}.`);
  return key;
}

async function makeLedger(client: Client, slug: string, onPosted: (posted: number) => void): Promise<void> {
  const accounts = new Map<AccountCode, string>();
  for (const account of ACCOUNTS) {
    const { id } = await client.post('/v1/ledger/accounts', `demo ${account.code}`, {
      ...account,
      asset: 'EUR/2',
    });
    accounts.set(account.code, id);
  }
  const post = async (number: number): Promise<void> => {
    const { debit, credit, amount } = transferNumber(number);
    await client.post('/v1/ledger/transfers', `demo transfer ${number}`, {
      id: deterministicId('demo', slug, String(number)),
      debitAccountId: accounts.get(debit),
      creditAccountId: accounts.get(credit),
      amount,
    });
  };
  // The capital comes first: cash may not be spent before it is there.
  await post(0);
  for (let number = 1; number < TRANSFERS_PER_TENANT; number += AT_ONCE) {
    const numbers = Array.from(
      { length: Math.min(AT_ONCE, TRANSFERS_PER_TENANT - number) },
      (_, offset) => number + offset,
    );
    await Promise.all(numbers.map(post));
    onPosted(number + numbers.length);
  }
  await makeExamples(client, slug, (code) => accounts.get(code));
}

/** An open hold gives its amount back after a week, in seconds: a demo that is left alone tidies itself up. */
const OPEN_HOLD_SECONDS = 604_800;

/** One of each thing that is more than a transfer: six rows in all, with ids that are the same at each start. */
async function makeExamples(
  client: Client,
  slug: string,
  account: (code: AccountCode) => string | undefined,
): Promise<void> {
  const idOf = (name: string): string => deterministicId('demo', slug, name);
  const sale = { debitAccountId: account('cash'), creditAccountId: account('sales') };
  const rent = { debitAccountId: account('rent'), creditAccountId: account('cash') };
  const post = (name: string, path: string, body: object): Promise<Made> =>
    client.post(`/v1/ledger/transfers${path}`, `demo ${name}`, body);

  const hold = { id: idOf('hold'), ...sale, amount: '12000', pending: true, metadata: { order: 'D-1001' } };
  await post('hold', '', hold);
  await post('part', `/${hold.id}/post`, {
    id: idOf('part'),
    amount: '7500',
    metadata: { delivered: 'in part' },
  });
  const reserved = { id: idOf('open hold'), ...rent, amount: '85000', metadata: { month: 'the next one' } };
  await post('open hold', '', { ...reserved, pending: true, timeoutSeconds: OPEN_HOLD_SECONDS });
  await post('linked', ':batch', {
    items: [
      { id: idOf('takings'), ...sale, amount: '25000', metadata: { fair: 'takings' }, linked: true },
      { id: idOf('pitch'), ...rent, amount: '4000', metadata: { fair: 'rent of the pitch' } },
    ],
  });
  await post('reversal', `/${idOf('1')}/reverse`, {
    id: idOf('reversal'),
    metadata: { reason: 'goods returned' },
  });
}

/** Capital once, then sales, and the rent at each tenth. In cents. */
function transferNumber(number: number): {
  readonly debit: AccountCode;
  readonly credit: AccountCode;
  readonly amount: string;
} {
  if (number === 0) return { debit: 'cash', credit: 'capital', amount: '100000000' };
  if (number % 10 === 0) return { debit: 'rent', credit: 'cash', amount: '85000' };
  return { debit: 'cash', credit: 'sales', amount: String(1_000 + ((number * 7_919) % 50_000)) };
}

/** What answers of the API have in common, as far as the demo looks. */
interface Made {
  readonly id: string;
  readonly secret?: string | null;
  readonly key?: string | null;
}

/** Requests with one credential. */
class Client {
  constructor(
    private readonly api: string,
    private readonly key: string,
  ) {}

  async post(path: string, idempotencyKey: string, body: object): Promise<Made> {
    const response = await fetch(`${this.api}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.key}`,
        'content-type': 'application/json',
        'idempotency-key': idempotencyKey,
      },
      body: JSON.stringify(body),
    });
    if (!response.ok)
      throw new DemoFailed(`POST ${path} was answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Made;
  }
}
