import { stateAfter, TENANT_STATES, type Transition, TRANSITIONS } from './tenant-state';

describe('The state of a tenant', () => {
  it.each(Object.keys(TRANSITIONS) as Transition[])(
    '%s begins where the table says, and nowhere else',
    (change) => {
      const began = TENANT_STATES.filter((state) => {
        try {
          return stateAfter(change, state) === TRANSITIONS[change].to;
        } catch (error) {
          expect(error).toMatchObject({ code: 'tenants.wrong_state', kind: 'conflict' });
          return false;
        }
      });
      expect(began).toEqual([...TRANSITIONS[change].from]);
    },
  );

  it('never leaves erased', () => {
    const out = Object.values(TRANSITIONS).filter(({ from }) =>
      (from as readonly string[]).includes('erased'),
    );
    expect(out).toEqual([]);
  });
});
