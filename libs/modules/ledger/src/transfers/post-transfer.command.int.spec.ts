import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { openAccountInput } from '../accounts/account';
import { OpenAccount } from '../accounts/open-account.command';
import { LedgerModule } from '../ledger.module';
import { PostTransfer } from './post-transfer.command';
import { postTransferInput } from './transfer-input';

describe('PostTransfer', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let commands: CommandBus;
  let caller: Caller;
  let cash: string;
  let wallet: string;

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
    [cash, wallet] = [await open('none'), await open('debits_must_not_exceed_credits')];
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
  });

  async function open(limit: string): Promise<string> {
    const input = openAccountInput.parse({ code: newId(), asset: 'EUR/2', normalBalance: 'debit', limit });
    return (await commands.execute(new OpenAccount(caller, input))).id;
  }

  const transfer = (fields: object, key = newId()): PostTransfer =>
    new PostTransfer(caller, postTransferInput.parse({ amount: '5', ...fields }), { key, replayed: false });

  it('answers with the transfer, under an id of its own or the one that was asked for', async () => {
    const fields = { debitAccountId: cash, creditAccountId: wallet };
    const posted = await commands.execute(transfer(fields));
    expect(posted).toMatchObject({
      ...fields,
      status: 'posted',
      asset: 'EUR/2',
      amount: '5',
      debitVersion: '1',
      creditVersion: '1',
    });
    const id = newId();
    expect(await commands.execute(transfer({ ...fields, id }))).toMatchObject({ id, debitVersion: '2' });
  });

  it('stays refused under its key after money has arrived, and goes through under another', async () => {
    const spend = { debitAccountId: wallet, creditAccountId: cash };
    const key = newId();
    await expect(commands.execute(transfer(spend, key))).rejects.toMatchObject({
      code: 'ledger.exceeds_credits',
    });
    await commands.execute(transfer({ debitAccountId: cash, creditAccountId: wallet }));
    const again = transfer(spend, key);
    await expect(commands.execute(again)).rejects.toMatchObject({ code: 'ledger.exceeds_credits' });
    expect(again.idempotency?.replayed).toBe(true);
    expect(await commands.execute(transfer(spend))).toMatchObject({ status: 'posted' });
  });

  it('takes effect once for 50 requests with one key at once, and answers all the same', async () => {
    const key = newId();
    const requests = Array.from({ length: 50 }, () =>
      transfer({ debitAccountId: cash, creditAccountId: wallet }, key),
    );
    const answers = await Promise.all(requests.map((request) => commands.execute(request)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(requests.filter(({ idempotency }) => !idempotency?.replayed)).toHaveLength(1);
  });

  it('keeps keys apart by actor', async () => {
    const key = newId();
    const fields = { debitAccountId: cash, creditAccountId: wallet };
    const first = await commands.execute(transfer(fields, key));
    caller = { ...caller, actor: 'api_key:other' };
    expect((await commands.execute(transfer(fields, key))).id).not.toBe(first.id);
  });
});
