import { type Caller, newId, NotFound, VersionMismatch } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { LedgerModule } from '../ledger.module';
import { type AccountView, openAccountInput } from './account';
import { ChangeAccount } from './change-account.command';
import { CloseAccount } from './close-account.command';
import { OpenAccount } from './open-account.command';

describe('ChangeAccount', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let commands: CommandBus;
  let caller: Caller;
  let account: AccountView;

  beforeAll(async () => {
    database = await TestDatabase.create();
    module = await Test.createTestingModule({
      imports: [MessagesModule.forRoot(database.tenants()), LedgerModule],
    }).compile();
    await module.init();
    commands = module.get(CommandBus);
  });
  beforeEach(async () => {
    caller = await database.caller();
    const input = { code: 'cash', asset: 'EUR/2', normalBalance: 'debit', metadata: { branch: 7, till: 2 } };
    account = await commands.execute(new OpenAccount(caller, openAccountInput.parse(input)));
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
  });

  const change = (revision: string, id = account.id): Promise<AccountView> =>
    commands.execute(new ChangeAccount(caller, { id, revision, metadata: { branch: 8 } }));

  it('replaces the metadata, also of a closed account, and announces that without it', async () => {
    const changed = await change('1');
    expect(changed).toEqual({ ...account, metadata: { branch: 8 }, revision: '2' });
    const closed = await commands.execute(new CloseAccount(caller, { id: account.id }));
    expect(await change('3')).toEqual({ ...closed, revision: '4' });
    const events = await database.admin(
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
    caller = await database.caller();
    await expect(change('1')).rejects.toThrow(NotFound);
    await expect(change('1', newId())).rejects.toThrow(NotFound);
  });
});
