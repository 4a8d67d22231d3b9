import type { Caller } from '@holdfast/kernel';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';

/** Transactions of a process that is stopped behind so many. */
export class HaltingTenants extends TenantDatabase {
  constructor(
    real: TenantDatabase,
    private left: number,
  ) {
    super(real.database);
  }

  override transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    this.left -= 1;
    return this.left < 0
      ? Promise.reject(new Error('the process has stopped'))
      : super.transaction(caller, work);
  }
}
