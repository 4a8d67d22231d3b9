import type { RecordedEvent } from '@holdfast/events';
import { messageOf } from './event-message';

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
  act: 'operator:alice',
  correlationId: 'request-1',
  causationId: null,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  occurredAt: '2026-11-26T10:00:00.123456Z',
  data: { amount: '100', text: 'ä' },
};

// Guards the contract of the topics: consumers outside rely on these names.
describe('An event as a message of Kafka', () => {
  it('is CloudEvents in binary mode, keyed by tenant and stream, in the topic of its module', () => {
    expect(messageOf(recorded, 'holdfast')).toEqual({
      topic: 'holdfast.ledger',
      key: `${recorded.tenantId}/ledger.transfer/${recorded.streamId}`,
      value: '{"amount":"100","text":"ä"}',
      headers: {
        'content-type': 'application/json',
        traceparent: recorded.traceparent,
        ce_specversion: '1.0',
        ce_id: recorded.id,
        ce_source: `/tenants/${recorded.tenantId}`,
        ce_type: 'ledger.transfer.posted',
        ce_subject: `ledger.transfer/${recorded.streamId}`,
        ce_time: '2026-11-26T10:00:00.123456Z',
        ce_tenantid: recorded.tenantId,
        ce_streamversion: '9007199254740993',
        ce_schemaversion: '1',
        ce_actor: recorded.actor,
        ce_act: 'operator:alice',
        ce_correlationid: 'request-1',
        ce_traceparent: recorded.traceparent,
      },
    });
  });

  it('leaves out what the event has not', () => {
    const { headers } = messageOf({ ...recorded, act: null, traceparent: null }, 'acme');
    expect(Object.keys(headers).filter((name) => /act$|traceparent|causation/.test(name))).toEqual([]);
  });
});
