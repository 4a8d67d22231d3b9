import { SagaLanes } from './saga-lanes';

describe('SagaLanes', () => {
  it('leaves three quarters to others, whatever one tenant has to do', () => {
    const lanes = new SagaLanes(8);
    const givenBack = [lanes.take('one'), lanes.take('one')];
    expect([lanes.isFree('one'), lanes.isFree('other')]).toEqual([false, true]);
    expect(lanes.tenantsAtShare).toEqual(['one']);
    givenBack[0]?.();
    expect([lanes.isFree('one'), lanes.tenantsAtShare]).toEqual([true, []]);
  });

  it('are no more than there are', () => {
    const lanes = new SagaLanes(2);
    lanes.take('one');
    lanes.take('two');
    expect(lanes.isFree('three')).toBe(false);
    expect(new SagaLanes(0).isFree('one')).toBe(false);
  });
});
