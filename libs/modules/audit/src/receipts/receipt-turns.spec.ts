import type { CommittedEvent } from '@holdfast/kernel';
import { newId } from '@holdfast/kernel';
import { canonicalJson } from '@holdfast/tlog';
import { openReceipt, readReceipts, ReceiptRefused, requireCertified } from './open-receipt';
import { type Receipt, receiptEntry, receiptLine, rootOfLines } from './receipt';
import { makeReceiptKey, rawPublicKey, readReceiptKeyEntry } from './receipt-key';
import { ReceiptTurns } from './receipt-turns';

const LOG_NAME = 'test.example/log';
const key = makeReceiptKey(LOG_NAME);
const head = { tenantId: newId(), requestId: 'request-1', keyId: key.id };
const AT = new Date('2026-11-26T12:00:00Z');

const entryOf = (
  one = key,
  from = '2026-11-26T11:55:00.000000Z',
  to = '2026-11-27T12:05:00.000000Z',
): string =>
  canonicalJson({
    ...{ v: 1, kind: 'receipt-key', id: one.id, validFrom: from, validUntil: to },
    publicKey: rawPublicKey(one.signer).toString('base64'),
  });

const eventOf = (more: Partial<CommittedEvent> = {}): CommittedEvent => ({
  id: newId(),
  type: 'ledger.transfer.posted',
  stream: { type: 'ledger.transfer', id: newId(), version: '1' },
  ...more,
});

const header = (file: string): string => Buffer.from(file).toString('base64');

function faultOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    if (error instanceof ReceiptRefused) return error.fault;
    throw error;
  }
}

const openText = (text: string, entry = entryOf(), logName = LOG_NAME): Receipt[] =>
  readReceipts(text).map((one) => openReceipt(one, entry, logName));

describe('Receipts of one turn', () => {
  it('are each signed, whatever their number', async () => {
    const turns = new ReceiptTurns(key);
    for (const number of [1, 2, 3, 256, 300]) {
      const events = Array.from({ length: number }, () => eventOf());
      const files = await Promise.all(events.map((event) => turns.sign(receiptEntry(head, AT, [event]))));
      const opened = files.map((file) => openText(header(file)));
      expect(opened).toMatchObject(events.map((event) => [{ ...head, events: [event] }]));
    }
  });

  it('share a signature', async () => {
    const turns = new ReceiptTurns(key);
    const entries = [1, 2].map(() => receiptEntry(head, AT, [eventOf()]));
    const files = await Promise.all(entries.map((entry) => turns.sign(entry)));
    const [one, other] = files.map((file) => readReceipts(file)[0]?.file.checkpoint);
    expect(one).toBe(other);
    const later = await turns.sign(entries[0] as string);
    expect(readReceipts(later)[0]?.file.checkpoint).not.toBe(one);
  });

  it('are refused when a byte of them is another', async () => {
    const turns = new ReceiptTurns(key);
    const [file] = await Promise.all([1, 2, 3].map(() => turns.sign(receiptEntry(head, AT, [eventOf()]))));
    const bytes = Buffer.from(file as string);
    for (const [at, byte] of bytes.entries()) {
      const changed = Buffer.from(bytes);
      changed[at] = byte ^ 1;
      expect([at, faultOf(() => openText(header(changed.toString('latin1'))))]).not.toEqual([at, 'none']);
    }
  });
});

describe('A receipt', () => {
  it('fits a header of 4 KB however many events there are', async () => {
    const long = { requestId: '\\'.repeat(128), tenantId: newId(), keyId: key.id };
    const turns = new ReceiptTurns(key);
    for (const number of [1, 4, 5, 6, 7, 12, 13]) {
      const events = Array.from({ length: number }, () => eventOf({ dataSha256: 'a'.repeat(43) }));
      const files = await Promise.all(
        Array.from({ length: 256 }, () => turns.sign(receiptEntry(long, AT, events))),
      );
      expect(Math.max(...files.map((file) => header(file).length))).toBeLessThan(4_096);
    }
  });

  it('of many events has the root of lines that whoever asked can write', () => {
    const events = Array.from({ length: 50 }, () => eventOf({ dataSha256: 'a'.repeat(43) }));
    const known = events.map(({ type, stream }) => ({ type, stream }));
    expect(JSON.parse(receiptEntry(head, AT, events))).toMatchObject({
      count: 50,
      root: rootOfLines(known).toString('base64url'),
    });
    expect(receiptLine(eventOf({ stream: { type: 's', id: 'i' }, type: 't' }))).toBe(
      '{"stream":{"id":"i","type":"s"},"type":"t"}',
    );
  });

  it('is refused of another key, another log, another time', async () => {
    const file = await new ReceiptTurns(key).sign(receiptEntry(head, AT, [eventOf()]));
    const other = makeReceiptKey(LOG_NAME);
    expect(faultOf(() => openText(file))).toBe('none');
    expect(faultOf(() => openText(file, entryOf(other)))).toBe('key_wrong');
    expect(faultOf(() => openText(file, entryOf(), 'test.example/other'))).toBe('not_signed');
    expect(faultOf(() => openText(file, `${entryOf()} `))).toBe('key_malformed');
    const early = entryOf(key, '2026-11-26T12:00:00.000001Z');
    expect(faultOf(() => openText(file, early.replace('000001Z', '100000Z')))).toBe('key_not_valid');
    const late = entryOf(key, '2026-11-25T12:00:00.000000Z', '2026-11-26T11:59:59.000000Z');
    expect(faultOf(() => openText(file, late))).toBe('key_not_valid');
    expect(faultOf(() => openText('AAAA'))).toBe('malformed');
    expect(faultOf(() => requireCertified(entryOf(), null, LOG_NAME, []))).toBe('key_not_certified');
  });

  it('of a key under another key’s id is refused', () => {
    const forged = entryOf({ ...key, signer: makeReceiptKey(LOG_NAME).signer });
    expect(readReceiptKeyEntry(entryOf())).toMatchObject({ id: key.id });
    expect(readReceiptKeyEntry(forged)).toBeUndefined();
  });
});
