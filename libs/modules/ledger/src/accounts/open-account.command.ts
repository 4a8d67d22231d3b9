import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { CodeTaken } from '../ledger.errors';
import { accountOpened } from '../ledger.events';
import { type AccountView, type OpenAccountInput, showAccount } from './account';
import { insertAccount } from './accounts.sql';

/** Opens an account with zero totals. Throws CodeTaken. */
export class OpenAccount extends TenantCommand<OpenAccountInput, AccountView> {
  readonly scope = 'ledger:write';
}

@CommandHandler(OpenAccount)
export class OpenAccountHandler extends TenantCommandHandler<OpenAccount> {
  protected async handle(tx: TenantTx, { input }: OpenAccount): Promise<AccountView> {
    const row = await insertAccount(tx, newId(), input);
    if (!row) throw new CodeTaken();
    const { asset, normalBalance, limit } = input;
    await tx.announce(
      announcement(accountOpened, { id: row.id, version: 1n }, { asset, normalBalance, limit }),
    );
    return showAccount(row);
  }
}
