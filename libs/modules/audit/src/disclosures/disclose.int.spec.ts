import { type Caller, newId } from '@holdfast/kernel';
import { PersonalApp } from '../../test/personal-app';
import { disclose } from './disclose';

/** A value is shown only while it is kept, and only if it is the one that the event is committed to. */
describe('What an event is committed to', () => {
  let app: PersonalApp;
  beforeAll(async () => void (app = await PersonalApp.start()));
  afterAll(() => app.close());

  interface Row {
    readonly id: string;
    readonly data: Readonly<Record<string, unknown>>;
  }

  async function shown(caller: Caller, ...ids: string[]): Promise<unknown[]> {
    const rows = await app.database.admin<Row>(
      'select id, data from events.log where id = any($1) order by seq',
      [ids],
    );
    const told = await app.tenants.reading(caller, (tx) => disclose(tx, rows));
    return told.map(({ data }) => data['note']);
  }

  it('is shown, for a page of events in one statement', async () => {
    const caller = await app.database.caller();
    const ids = [
      await app.describe(caller, newId(), 'likes tea'),
      await app.describe(caller, newId(), 'likes coffee'),
    ];
    expect(await shown(caller, ...ids)).toEqual([{ value: 'likes tea' }, { value: 'likes coffee' }]);
  });

  it('is redacted once it is gone, and for another tenant', async () => {
    const caller = await app.database.caller();
    const id = await app.describe(caller, newId(), 'likes tea');
    expect(await shown(await app.database.caller(), id)).toEqual([{ redacted: true }]);
    await app.database.admin('delete from audit.disclosures where event_id = $1', [id]);
    expect(await shown(caller, id)).toEqual([{ redacted: true }]);
  });

  it('is altered where what is kept is another value, or a byte of it was changed', async () => {
    const [caller, person] = [await app.database.caller(), newId()];
    const [one, other] = [
      await app.describe(caller, person, 'likes tea'),
      await app.describe(caller, person, 'likes coffee', 2n),
    ];
    await app.database.admin(
      'update audit.disclosures set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) where event_id = $1',
      [one],
    );
    expect(await shown(caller, one, other)).toEqual([{ altered: true }, { value: 'likes coffee' }]);
    const exchanged = { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' };
    const told = await app.tenants.reading(caller, (tx) =>
      disclose(tx, [{ id: other, data: { note: exchanged } }]),
    );
    expect(told).toEqual([{ id: other, data: { note: { altered: true } } }]);
  });

  it('leaves what is no commitment as it is', async () => {
    const caller = await app.database.caller();
    const rows = [{ id: newId(), data: { amount: '12', of: { commitment: 'none' } } }];
    expect(await app.tenants.reading(caller, (tx) => disclose(tx, rows))).toEqual(rows);
  });
});
