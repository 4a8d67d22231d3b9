import { newId, NotFound, VersionMismatch } from '@holdfast/kernel';
import { LedgerApp } from '../../test/ledger-app';
import type { AccountView } from './account';
import { ChangeAccount } from './change-account.command';
import { CloseAccount } from './close-account.command';

describe('ChangeAccount', () => {
  let app: LedgerApp;
  let account: AccountView;

  beforeAll(async () => void (app = await LedgerApp.start()));
  beforeEach(async () => {
    await app.enter();
    account = await app.account(await app.open({ code: 'cash', metadata: { branch: 7, till: 2 } }));
  });
  afterAll(() => app.close());

  const change = (revision: string, id = account.id): Promise<AccountView> =>
    app.commands.execute(new ChangeAccount(app.caller, { id, revision, metadata: { branch: 8 } }));

  it('replaces the metadata, also of a closed account, and announces that without it', async () => {
    const changed = await change('1');
    expect(changed).toEqual({ ...account, metadata: { branch: 8 }, revision: '2' });
    const closed = await app.commands.execute(new CloseAccount(app.caller, { id: account.id }));
    expect(await change('3')).toEqual({ ...closed, revision: '4' });
    const events = await app.database.admin(
      `select stream_version::int, data from events.log where stream_id = $1 and type = 'ledger.account.changed' order by seq`,
      [account.id],
    );
    const data = { fields: ['metadata'] };
    expect(events).toEqual([
      { stream_version: 2, data },
      { stream_version: 4, data },
    ]);
  });

  it('refuses a revision that is not the last, so that nobody overwrites what they have not seen', async () => {
    await change('1');
    for (const revision of ['1', '3', 'none'])
      await expect(change(revision)).rejects.toThrow(VersionMismatch);
    const race = await Promise.allSettled([change('2'), change('2')]);
    expect(race.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('knows no account of another tenant', async () => {
    await app.enter();
    await expect(change('1')).rejects.toThrow(NotFound);
    await expect(change('1', newId())).rejects.toThrow(NotFound);
  });
});
