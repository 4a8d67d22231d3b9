import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { openAccountInput } from '../accounts/account';
import { OpenAccount } from '../accounts/open-account.command';
import { LedgerModule } from '../ledger.module';
import { PostTransfers } from './post-transfers.command';
import { postTransfersInput } from './transfer-input';

describe('PostTransfers', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let commands: CommandBus;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    caller = await database.caller();
    module = await Test.createTestingModule({
      imports: [MessagesModule.forRoot(database.tenants()), LedgerModule],
    }).compile();
    await module.init();
    commands = module.get(CommandBus);
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
  });

  async function open(limit: string): Promise<string> {
    const input = openAccountInput.parse({ code: newId(), asset: 'EUR/2', normalBalance: 'debit', limit });
    return (await commands.execute(new OpenAccount(caller, input))).id;
  }

  it('posts in order, gives each item its result, and the same results again', async () => {
    const [cash, wallet] = [await open('none'), await open('debits_must_not_exceed_credits')];
    const spend = { debitAccountId: wallet, creditAccountId: cash, amount: '5' };
    const items = [spend, { ...spend, debitAccountId: cash, creditAccountId: wallet }, spend, spend].map(
      (fields) => ({
        ...fields,
        id: newId(),
      }),
    );
    const post = async (): Promise<string[]> => {
      const { results } = await commands.execute(
        new PostTransfers(caller, postTransfersInput.parse({ items })),
      );
      expect(results.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
      return results.map(({ result }) => result);
    };
    expect(await post()).toEqual(['ledger.exceeds_credits', 'created', 'created', 'ledger.exceeds_credits']);
    expect(await post()).toEqual(['ledger.exceeds_credits', 'exists', 'exists', 'ledger.exceeds_credits']);
  });

  it('posts a chain whole or not at all, with holds and their ends in it', async () => {
    const [cash, wallet] = [await open('none'), await open('debits_must_not_exceed_credits')];
    const fund = { debitAccountId: cash, creditAccountId: wallet, amount: '5' };
    const spend = { debitAccountId: wallet, creditAccountId: cash, amount: '5' };
    const post = async (...items: object[]): Promise<string[]> => {
      const input = postTransfersInput.parse({ items: items.map((item) => ({ id: newId(), ...item })) });
      return (await commands.execute(new PostTransfers(caller, input))).results.map(({ result }) => result);
    };
    const failed = ['ledger.linked_item_failed', 'ledger.exceeds_credits'];
    expect(await post({ ...fund, linked: true }, { ...spend, amount: '6' }, spend)).toEqual([
      ...failed,
      'ledger.exceeds_credits',
    ]);
    const hold = newId();
    expect(
      await post(
        { ...fund, linked: true },
        { ...spend, id: hold, pending: true, linked: true },
        { kind: 'post', targetId: hold, amount: '3', linked: true },
        { ...spend, amount: '2' },
        { kind: 'void', targetId: hold },
      ),
    ).toEqual(['created', 'created', 'created', 'created', 'ledger.hold_posted']);
  });
});
