import type { RecordedEvent } from '@holdfast/events';
import { filterOf, tailInput } from './tail-filter';

const event = {
  type: 'ledger.transfer.posted',
  streamType: 'ledger.transfer',
  streamId: '019a0000-0000-7000-8000-000000000001',
  actor: 'api_key:1',
} as RecordedEvent;

describe('What a reader of the stream wants', () => {
  it.each([
    [{}, true],
    [{ actor: 'api_key:1' }, true],
    [{ actor: 'api_key:2' }, false],
    [{ actor: 'api_key:' }, false],
    [{ types: ['ledger.*'], actor: 'api_key:1' }, true],
    [{ types: ['tenants.*'], actor: 'api_key:1' }, false],
    [{ types: ['ledger.transfer.posted'] }, true],
    [{ types: ['ledger.transfer'] }, false],
    [{ stream: 'ledger.transfer/019A0000-0000-7000-8000-000000000001' }, true],
    [{ stream: 'ledger.transfer/019a0000-0000-7000-8000-000000000002' }, false],
  ])('%j', (input, wanted) => {
    expect(filterOf(tailInput.parse(input))(event)).toBe(wanted);
  });

  it.each([{ actor: '' }, { actor: 'a\0' }, { actor: 'x'.repeat(201) }])('refuses %j', (input) => {
    expect(tailInput.safeParse(input).success).toBe(false);
  });
});
