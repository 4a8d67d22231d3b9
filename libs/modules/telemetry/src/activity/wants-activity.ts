import { type Caller, Deadline } from '@holdfast/kernel';
import { settingsOf, type TenantDatabase } from '@holdfast/tenancy';

/** Nobody waits for it, and a process that ends waits for less. */
const READ_MS = 2_000;

/** Reads whether the caller's tenant wants recorded what its members do. Behind the caller's request, so in a time of its own. */
export function wantsActivity(tenants: TenantDatabase): (caller: Caller) => Promise<boolean> {
  return async (caller) => {
    const reader = { ...caller, deadline: Deadline.in(READ_MS), committed: undefined };
    return (await tenants.reading(reader, settingsOf)).memberActivityRecorded;
  };
}
