import { findLogStatus, findSealer } from '@holdfast/audit';
import { operatedTenants } from './operated-tenants';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly tenant?: string;
  readonly json?: boolean;
}

type LogStatus = Awaited<ReturnType<typeof findLogStatus>>;

/** The log of one tenant. */
interface TenantStatus extends LogStatus {
  readonly tenantId: string;
  readonly slug: string | null;
}

/** What is printed. */
interface Status {
  readonly sealer: Awaited<ReturnType<typeof findSealer>>;
  readonly tenants: readonly TenantStatus[];
}

/** Prints how far the logs of tenants are sealed, signed and cosigned, what verification found, and who seals. */
export async function showAuditStatus({ tenant, json }: Asked): Promise<void> {
  const status = await asOperator(async (operator) => {
    const tenants: TenantStatus[] = [];
    for (const { id, slug } of await operatedTenants(operator, tenant)) {
      const found = await findLogStatus(operator.tenants, await operator.callerFor(id));
      tenants.push({ tenantId: id, slug, ...found });
    }
    return { sealer: await findSealer(operator.ops), tenants };
  });
  printOutcome(json, status, text);
}

function text({ sealer, tenants }: Status): string {
  const heading = ['tenant', 'epoch', 'leaves', 'signed', 'signed ago', 'cosigned', 'breaks'];
  const rows = tenants.map(({ tenantId, slug, epoch, size, signedSize, signedSecondsAgo, ...each }) => [
    slug ?? tenantId,
    epoch === null ? '-' : String(epoch),
    size,
    signedSize,
    signedSecondsAgo === null ? '-' : `${signedSecondsAgo} s`,
    cosigned(each.witnesses, signedSize),
    String(each.breaks),
  ]);
  const who = sealer
    ? `Sealed by ${sealer.holder}, whose lease is until ${sealer.until}.`
    : 'Nobody holds the lease of the sealer.';
  return `${columns(heading, rows)}\n\n${who}`;
}

/** How many of the witnesses have cosigned all that is signed, and what came of the last offer to each other one. */
function cosigned(witnesses: LogStatus['witnesses'], signedSize: string): string {
  if (witnesses.length === 0) return '-';
  const behind = witnesses.filter(({ size }) => size !== signedSize);
  const why = behind.map(({ name, outcome }) => `${name}: ${outcome ?? 'not offered yet'}`);
  const many = `${witnesses.length - behind.length} of ${witnesses.length}`;
  return why.length > 0 ? `${many} (${why.join(', ')})` : many;
}
