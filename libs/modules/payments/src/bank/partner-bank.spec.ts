import { Deadline, newId } from '@holdfast/kernel';
import { TestBank } from '@holdfast/testing';
import { PartnerBank } from './partner-bank';

describe('A partner bank', () => {
  let bank: TestBank;
  beforeAll(async () => void (bank = await TestBank.start()));
  afterAll(() => bank.stop());

  // A key that never arrived is no sign of a sick bank: asked again and again, it would use up the retries of all others.
  it('is asked once about a key that it does not know, which is an answer', async () => {
    const asking = new PartnerBank({ url: bank.url, secret: 'secret', settings: { failuresMax: 4 } });
    const order = { key: newId(), amount: '1', asset: 'EUR/2', iban: 'DE89370400440532013000' };
    bank.plans.push('fails', 'fails', 'fails');
    await expect(asking.reserve(order, { deadline: Deadline.in(5_000) })).rejects.toThrow('503');
    expect(bank.asked).toEqual(['PUT', 'PUT', 'PUT', 'GET']);
    await asking.reserve(order, { deadline: Deadline.in(5_000) });
    expect(bank.payments.get(order.key)).toBe('accepted');
  });
});
