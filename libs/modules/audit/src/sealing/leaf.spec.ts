import { differingFields, epochEntry, eventEntry, fieldPrints, LEAF_FIELDS, type LeafRow } from './leaf';

const ROW: LeafRow = {
  seq: '12',
  xid: '734',
  tenant_id: '019a0000-0000-7000-8000-000000000001',
  id: '019a0000-0000-7000-8000-000000000002',
  stream_type: 'ledger.transfer',
  stream_id: '019a0000-0000-7000-8000-000000000003',
  stream_version: '1',
  type: 'ledger.transfer.posted',
  schema_version: 1,
  actor: 'api_key:019a0000-0000-7000-8000-000000000004',
  act: null,
  correlation_id: 'request-1',
  causation_id: null,
  traceparent: null,
  occurred_at: '2026-11-26T12:00:00.123456Z',
  data: '{"asset": "EUR/2", "amount": "1234"}',
};

const withData = (data: string): string => eventEntry({ ...ROW, data });

describe('the entry of an event', () => {
  // The format is a contract with every log that was ever sealed: this text may never change.
  it('is canonical JSON of every column', () => {
    expect(eventEntry(ROW)).toBe(
      '{"act":null,"actor":"api_key:019a0000-0000-7000-8000-000000000004","causationId":null,"correlationId":"request-1",' +
        '"data":{"amount":"1234","asset":"EUR/2"},"id":"019a0000-0000-7000-8000-000000000002","kind":"event",' +
        '"occurredAt":"2026-11-26T12:00:00.123456Z","schemaVersion":1,"seq":"12",' +
        '"streamId":"019a0000-0000-7000-8000-000000000003","streamType":"ledger.transfer","streamVersion":"1",' +
        '"tenantId":"019a0000-0000-7000-8000-000000000001","traceparent":null,"type":"ledger.transfer.posted","v":1,"xid":"734"}',
    );
  });

  it.each(LEAF_FIELDS.map(([, column]) => column))('differs when %s does', (column) => {
    const other = column === 'data' ? '{}' : column === 'schema_version' ? 2 : 'other';
    expect(eventEntry({ ...ROW, [column]: other })).not.toBe(eventEntry(ROW));
  });

  it.each([
    ['1', '1.0'],
    ['1', '1e0'],
    ['9007199254740993', '9007199254740992'],
    ['-1', '-1.0'],
    ['null', '"null"'],
    ['"1.0"', '1.0'],
  ])('tells %s from %s', (one, other) => {
    expect(withData(`{"n": ${one}}`)).not.toBe(withData(`{"n": ${other}}`));
  });

  it('keeps a payload that JSON readers would change as its text', () => {
    expect(withData('{"n": 1.0}')).toContain(String.raw`"dataText":"{\"n\": 1.0}"`);
    expect(withData(String.raw`{"n": "\"1.0"}`)).toContain(String.raw`"data":{"n":"\"1.0"}`);
  });

  it('fits a bundle whatever the row holds', () => {
    const long = '\u0001'.repeat(200_000);
    const row = {
      ...ROW,
      actor: long,
      correlation_id: long,
      type: long,
      data: `{"a": "${'x'.repeat(200_000)}"}`,
    };
    const entry = eventEntry(row);
    expect(Buffer.byteLength(entry)).toBeLessThan(65_536);
    expect(entry).toContain('"dataSha256"');
    expect(eventEntry({ ...row, actor: `${long}.` })).not.toBe(entry);
    expect(eventEntry({ ...row, data: `{"a": "${'x'.repeat(200_001)}"}` })).not.toBe(entry);
    expect(withData(`{"a": "${'x'.repeat(60_000)}", "n": 1.0}`)).toContain('"dataTextSha256"');
  });

  // The sealer may not stop at an event, whatever is in it.
  it('has an entry for every payload that PostgreSQL takes', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect(withData(nested(64))).toContain('"data":[[');
    expect(withData(nested(65))).toContain('"dataText":"[[');
    expect(withData(nested(6_000))).toContain('"dataText":"[[');
    expect(withData(nested(100_000))).toContain('"dataTextSha256"');
    expect(withData(String.raw`{"a": "${'x'.repeat(5_000_000)}\" 1.0 [[[ "}`)).toContain('"dataSha256"');
  });

  it('takes a payload whose key is __proto__ as it is', () => {
    expect(withData('{"__proto__": {"a": 1}}')).toContain('"data":{"__proto__":{"a":1}}');
  });
});

describe('prints', () => {
  it.each(LEAF_FIELDS)('name %s as what differs', (field, column) => {
    const other = { ...ROW, [column]: column === 'schema_version' ? 2 : 'changed' };
    expect(differingFields(fieldPrints(ROW), fieldPrints(other))).toEqual([field]);
  });
});

describe('the entry of an epoch', () => {
  it('is canonical JSON', () => {
    expect(epochEntry({ tenantId: ROW.tenant_id, epoch: 1, previous: null })).toBe(
      '{"epoch":1,"kind":"epoch","previous":null,"tenantId":"019a0000-0000-7000-8000-000000000001","v":1}',
    );
  });
});
