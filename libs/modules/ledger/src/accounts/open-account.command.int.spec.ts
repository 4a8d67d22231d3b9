import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { CodeTaken } from '../ledger.errors';
import { LedgerModule } from '../ledger.module';
import { openAccountInput } from './account';
import { OpenAccount } from './open-account.command';

describe('OpenAccount', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let commands: CommandBus;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    module = await Test.createTestingModule({
      imports: [MessagesModule.forRoot(database.tenants()), LedgerModule],
    }).compile();
    await module.init();
    commands = module.get(CommandBus);
    caller = await database.caller();
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
  });

  const input = (code: string): OpenAccount['input'] =>
    openAccountInput.parse({ code, asset: 'EUR/2', normalBalance: 'credit', metadata: { branch: 7 } });

  it('opens an account with zero totals and announces it without its code', async () => {
    const account = await commands.execute(new OpenAccount(caller, input('ada lovelace')));
    expect(account).toMatchObject({
      code: 'ada lovelace',
      limit: 'none',
      version: '0',
      metadata: { branch: 7 },
      closedAt: null,
    });
    expect(account.balances).toEqual({
      postedDebits: '0',
      postedCredits: '0',
      pendingDebits: '0',
      pendingCredits: '0',
    });
    const events = await database.admin(
      'select type, stream_version::int, data from events.log where stream_id = $1',
      [account.id],
    );
    expect(events).toEqual([
      {
        type: 'ledger.account.opened',
        stream_version: 1,
        data: { asset: 'EUR/2', normalBalance: 'credit', limit: 'none' },
      },
    ]);
  });

  it('refuses a code that the tenant uses, and not one that another tenant uses', async () => {
    await commands.execute(new OpenAccount(caller, input('cash')));
    await expect(commands.execute(new OpenAccount(caller, input('cash')))).rejects.toThrow(CodeTaken);
    const other = await database.caller(newId());
    expect(await commands.execute(new OpenAccount(other, input('cash')))).toMatchObject({ code: 'cash' });
  });

  it('opens one account for a repeated idempotency key', async () => {
    const key = { key: 'again', replayed: false };
    const first = await commands.execute(new OpenAccount(caller, input('once'), key));
    expect(await commands.execute(new OpenAccount(caller, input('once'), key))).toEqual(first);
    expect(key.replayed).toBe(true);
  });

  it('asks for ledger:write', async () => {
    const reader = { ...caller, scopes: ['ledger:read'] };
    await expect(commands.execute(new OpenAccount(reader, input('reader')))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });
});
