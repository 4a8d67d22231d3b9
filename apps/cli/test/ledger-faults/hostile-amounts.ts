import { randomUUID } from 'node:crypto';
import type { Random } from '@holdfast/testing';
import { batch, type Entry, single, type Wanted } from './ledger-client';
import type { Row } from './row';
import type { Scene } from './scene';

const AMOUNT_MAX = 2n ** 63n - 1n;
const TIMEOUT_MAX_SECONDS = 31_536_000;
/** Values of a run besides the fixed ones. */
const RANDOM_VALUES = 60;
/** Values that are tried at a time; each is in six requests. */
const AT_ONCE = 8;

/** A token that JavaScript could not hold, as JSON. */
function token(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

/** What has been sent to ledgers as an amount. */
const FIXED: readonly unknown[] = [
  ...[
    '0',
    '-1',
    '-0',
    '+1',
    '00',
    '01',
    '1e3',
    '1E3',
    '0.1',
    '1.0',
    '1.',
    '.5',
    '1,000',
    '1_000',
    '0x10',
    '0b1',
    '1n',
    '',
  ],
  ...[
    ' 1',
    '1 ',
    '1\n',
    '\t1',
    '1\0',
    '１２３',
    '٣',
    '१',
    '𝟏',
    '1\u200b',
    '−1',
    '½',
    '¹',
    'Infinity',
    'NaN',
    'null',
    'true',
  ],
  ...[
    '9223372036854775808',
    '18446744073709551615',
    '18446744073709551617',
    '-9223372036854775808',
    '1'.repeat(20),
  ],
  ...['1'.repeat(10_000), '1;select 1', "1'::bigint", '{1}', '$1'],
  ...[
    0,
    -1,
    1,
    0.1,
    1e3,
    2 ** 53,
    -0,
    1e21,
    token('9223372036854775807'),
    token('1e400'),
    token('-0.0'),
    token('1E-400'),
  ],
  ...[null, true, false, [], ['1'], {}, { amount: '1' }, { $numberLong: '1' }, [[]]],
  ...['1', '2', '9007199254740993', '999999999999999999', String(AMOUNT_MAX - 1n), String(AMOUNT_MAX)],
];

const PIECES = '0 1 2 3 4 5 6 7 8 9 . e E - + _ , ０ ٣'.split(' ');

/** Digits with something between them, or digits alone around the largest. */
function anyAmount(random: Random): unknown {
  const choice = random.next();
  const digits = Array.from({ length: random.between(1, 21) }, () => random.between(0, 9)).join('');
  if (choice < 0.4) return Array.from({ length: random.between(1, 6) }, () => random.pick(PIECES)).join('');
  if (choice < 0.6) return digits;
  if (choice < 0.7) return String(AMOUNT_MAX + BigInt(random.between(-5, 5)));
  if (choice < 0.8) return token(digits.replace(/^0+(?=.)/, ''));
  if (choice < 0.9) return random.next() * 10 ** random.between(-5, 25);
  return String(random.between(1, 10_000));
}

/** The one way to write an amount; everything else is refused. */
function isAmount(value: unknown): value is string {
  return typeof value === 'string' && /^[1-9][0-9]{0,18}$/.test(value) && BigInt(value) <= AMOUNT_MAX;
}

/** A balance may be zero or below it, and none be asked for. */
function isBalance(value: unknown): boolean {
  return value === null || value === '0' || (typeof value === 'string' && isAmount(value.replace(/^-/, '')));
}

/** Seconds are a JSON number; none are for ever. */
function isTimeout(value: unknown): boolean {
  const sent: unknown = JSON.parse(JSON.stringify(value));
  return (
    sent === null || (Number.isInteger(sent) && Number(sent) >= 1 && Number(sent) <= TIMEOUT_MAX_SECONDS)
  );
}

/** A request with a value in one of its fields, and whether it may be accepted. */
interface Trial {
  readonly wanted: Wanted;
  readonly isValid: boolean;
}

/** One trial of each field that takes an amount, and of the one that takes seconds. */
function trialsOf({ tenants: [tenant] }: Scene, value: unknown, holdId: string): readonly Trial[] {
  const [debitAccountId, , creditAccountId] = tenant.accounts;
  const legs = { debitAccountId, creditAccountId };
  const transfer = (fields: object): Wanted =>
    single(tenant, '/v1/ledger/transfers', { id: randomUUID(), ...legs, amount: '1', ...fields });
  const amount = value as string;
  const plain = { id: randomUUID(), ...legs, amount: '1' };
  return [
    { wanted: transfer({ amount }), isValid: isAmount(value) },
    { wanted: transfer({ amount, pending: true }), isValid: isAmount(value) },
    { wanted: batch(tenant, [plain, { id: randomUUID(), ...legs, amount }]), isValid: isAmount(value) },
    {
      wanted: single(tenant, `/v1/ledger/transfers/${holdId}/post`, { id: randomUUID(), amount }),
      isValid: value === null || isAmount(value),
    },
    { wanted: transfer({ minBalanceAfter: { credit: value } }), isValid: isBalance(value) },
    {
      wanted: transfer({ pending: true, timeoutSeconds: value }),
      isValid: isTimeout(value),
    },
  ];
}

/** Sends it: what is not valid is refused as input, and what is valid is exact or refused by the ledger. */
async function tryOut({ clients }: Scene, { wanted, isValid }: Trial, random: Random): Promise<Entry> {
  const entry = await clients.send(wanted, random.between(0, 1));
  const { status, body } = entry.answer;
  const shown = `${wanted.path} ${JSON.stringify(wanted.body).slice(0, 300)}: ${status} ${JSON.stringify(body).slice(0, 300)}`;
  // A text with NUL in it is no JSON to the API, wherever it stands.
  const isRefused = status === 422 || (status === 400 && body['code'] === 'request.malformed');
  if (!isValid && !isRefused) throw new Error(`not refused: ${shown}`);
  if (isValid && body['code'] === 'request.invalid') throw new Error(`not accepted: ${shown}`);
  const [{ amount } = { amount: undefined }] = wanted.effects;
  if (status === 201 && typeof amount === 'string' && body['amount'] !== amount)
    throw new Error(`not exact: ${shown}`);
  return entry;
}

/** Tries a value in every field; where a hold is posted by it, that is a new one of five. */
async function tryValue(scene: Scene, value: unknown, random: Random): Promise<readonly Entry[]> {
  const hold = scene.transfer(scene.tenants[0], '5');
  const placed = await scene.clients.send({ ...hold, body: { ...hold.body, pending: true } });
  // Behind the largest amounts there is room for no hold.
  const { id = randomUUID() } = placed.answer.body as { readonly id?: string };
  return Promise.all(trialsOf(scene, value, id).map((trial) => tryOut(scene, trial, random)));
}

const amounts: Row = {
  row: 17,
  name: 'amounts that are none',
  strike: async (scene, random) => {
    await scene.traffic.stop();
    const values = [...FIXED, ...Array.from({ length: RANDOM_VALUES }, () => anyAmount(random))];
    // The largest come last: behind them the totals are full, and refuse everything.
    const size = (value: unknown): number => (isAmount(value) ? Number(value) : 0);
    const sorted = values.toSorted((one, other) => size(one) - size(other));
    const entries: Entry[] = [];
    for (let from = 0; from < sorted.length; from += AT_ONCE) {
      const some = sorted.slice(from, from + AT_ONCE);
      entries.push(...(await Promise.all(some.map((value) => tryValue(scene, value, random)))).flat());
    }
    const accepted = entries.filter(({ answer }) => answer.status < 300).length;
    const refused = entries.filter(({ answer }) => answer.status === 422).length;
    expect([accepted > 20, refused > 300]).toEqual([true, true]);
    return `${values.length} values in 6 fields: ${accepted} exact, ${refused} refused`;
  },
};

/** Row 17: amounts that are none. */
export const HOSTILE_AMOUNTS: readonly Row[] = [amounts];
