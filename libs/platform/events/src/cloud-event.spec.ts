import { cloudEventOf } from './cloud-event';
import type { RecordedEvent } from './recorded-event';

const recorded: RecordedEvent = {
  seq: 7n,
  id: '019b0000-0000-7000-8000-000000000001',
  tenantId: '019b0000-0000-7000-8000-000000000002',
  streamType: 'ledger.transfer',
  streamId: '019b0000-0000-7000-8000-000000000003',
  streamVersion: 9_007_199_254_740_993n,
  type: 'ledger.transfer.posted',
  schemaVersion: 1,
  actor: 'key:019b0000-0000-7000-8000-000000000004',
  act: null,
  correlationId: 'request-1',
  causationId: null,
  traceparent: null,
  occurredAt: '2026-11-26T10:00:00.123456Z',
  data: { amount: '100' },
};

describe('cloudEventOf', () => {
  it('names event, tenant, stream and version, and leaves out what is not known', () => {
    expect(cloudEventOf(recorded)).toEqual({
      specversion: '1.0',
      id: recorded.id,
      source: `/tenants/${recorded.tenantId}`,
      type: 'ledger.transfer.posted',
      subject: `ledger.transfer/${recorded.streamId}`,
      time: '2026-11-26T10:00:00.123456Z',
      datacontenttype: 'application/json',
      tenantid: recorded.tenantId,
      streamversion: '9007199254740993',
      schemaversion: 1,
      actor: recorded.actor,
      correlationid: 'request-1',
      data: { amount: '100' },
    });
  });

  it('carries who acted for whom, the cause and the trace', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(
      cloudEventOf({ ...recorded, act: 'operator:ada', causationId: 'cause-1', traceparent }),
    ).toMatchObject({
      act: 'operator:ada',
      causationid: 'cause-1',
      traceparent,
    });
  });

  it('uses attribute names that CloudEvents allows', () => {
    for (const name of Object.keys(cloudEventOf({ ...recorded, act: 'operator:ada' })))
      expect(name).toMatch(/^[a-z0-9]{1,20}$/);
  });
});
