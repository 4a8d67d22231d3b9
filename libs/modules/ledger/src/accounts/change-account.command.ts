import { VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import { accountChanged } from '../ledger.events';
import { type AccountView, type changeAccountInput, showAccount } from './account';
import { lockAccount, updateAccount } from './accounts.sql';

type Change = z.output<typeof changeAccountInput> & { readonly id: string; readonly revision: string };

/** Replaces an account's metadata, also of a closed one. Throws NotFound and VersionMismatch. */
export class ChangeAccount extends TenantCommand<Change, AccountView> {
  readonly scope = 'ledger:write';
}

@CommandHandler(ChangeAccount)
export class ChangeAccountHandler extends TenantCommandHandler<ChangeAccount> {
  protected async handle(tx: TenantTx, { input }: ChangeAccount): Promise<AccountView> {
    const { id, revision, metadata } = input;
    const locked = await lockAccount(tx, id);
    if (String(locked.revision) !== revision) throw new VersionMismatch();
    const account = await updateAccount(tx, id, { isClosed: locked.closed_at !== null, metadata });
    await tx.announce(
      announcement(accountChanged, { id, version: account.revision }, { fields: ['metadata'] }),
    );
    return showAccount(account);
  }
}
