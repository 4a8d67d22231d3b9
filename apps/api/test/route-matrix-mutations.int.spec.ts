import { findLeaks, type MatrixReport } from './tenancy/matrix';
import { type Flaw, FLAWS, Notes } from './tenancy/notes';
import { NotesModule } from './tenancy/notes.module';
import { TestApi } from './test-api';

/** The route matrix can fail: it finds each way in which a module may forget the tenant, and names the route. */
describe('The route matrix', () => {
  let api: TestApi;

  beforeAll(async () => {
    api = await TestApi.start({}, [NotesModule]);
  });
  afterAll(() => api.close());

  async function matrixWith(flaw: Flaw | undefined): Promise<MatrixReport> {
    const notes = api.app.get(Notes);
    notes.flaw = flaw;
    const [victim, attacker] = [await api.largeTenant(), await api.largeTenant()];
    const rowsOf = async (tenantId: string): Promise<Record<string, string>> => ({
      notes: JSON.stringify(notes.all.filter((each) => each.tenantId === tenantId)),
    });
    return findLeaks({ app: api.app, victim, attacker, rowsOf, only: (name) => /note/i.test(name) });
  }

  it('finds nothing wrong with a module that is right', async () => {
    const { leaks, unexercised, operations, fields } = await matrixWith(undefined);
    expect({ leaks, unexercised, operations, fields }).toEqual({
      leaks: [],
      unexercised: [],
      operations: '7 of 7',
      fields: '1 of 1',
    });
  });

  it.each(Object.entries(FLAWS))(
    'finds a route that %s',
    async (flaw, route) => {
      const { leaks } = await matrixWith(flaw as Flaw);
      expect(leaks.filter((leak) => leak.startsWith(`${route}: `))).not.toEqual([]);
    },
    120_000,
  );
});
