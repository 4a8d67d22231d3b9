import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { accountClosed, accountReopened } from '../ledger.events';
import { type AccountView, showAccount } from './account';
import { lockAccount, updateAccount } from './accounts.sql';

/**
 * Closes an account: it takes no new transfers and holds, whatever its balance is; holds that are open still end on it.
 * One that is closed stays as it is. Throws NotFound or AccountReserved.
 */
export class CloseAccount extends TenantCommand<{ readonly id: string }, AccountView> {
  readonly scope = 'ledger:write';
}

/** Opens a closed account again; one that is open stays as it is. Throws NotFound or AccountReserved. */
export class ReopenAccount extends TenantCommand<{ readonly id: string }, AccountView> {
  readonly scope = 'ledger:write';
}

@CommandHandler(CloseAccount)
export class CloseAccountHandler extends TenantCommandHandler<CloseAccount> {
  protected handle(tx: TenantTx, { input }: CloseAccount): Promise<AccountView> {
    return setClosed(tx, input.id, true);
  }
}

@CommandHandler(ReopenAccount)
export class ReopenAccountHandler extends TenantCommandHandler<ReopenAccount> {
  protected handle(tx: TenantTx, { input }: ReopenAccount): Promise<AccountView> {
    return setClosed(tx, input.id, false);
  }
}

async function setClosed(tx: TenantTx, id: string, isClosed: boolean): Promise<AccountView> {
  const locked = await lockAccount(tx, id);
  if ((locked.closed_at !== null) === isClosed) return showAccount(locked);
  const account = await updateAccount(tx, id, { isClosed, metadata: locked.metadata });
  const type = isClosed ? accountClosed : accountReopened;
  await tx.announce(announcement(type, { id, version: account.revision }, {}));
  return showAccount(account);
}
