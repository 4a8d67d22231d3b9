import { existsSync, readFileSync } from 'node:fs';
import { readReceipts, type ReceiptOutcome, ReceiptRefused, verifyReceipt } from '@holdfast/audit';
import type { CommittedEvent } from '@holdfast/kernel';
import { TenantDatabase } from '@holdfast/tenancy';
import { VerbFailed, WrongUsage } from './failures';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  /** Values of headers, or files of them. */
  readonly receipts: readonly string[];
  readonly receiptEvents?: string;
  /** The tenant whose the receipts have to be, by slug or id. */
  readonly tenant?: string;
  readonly publicKeys: readonly Buffer[];
  readonly json?: boolean;
}

type Unverified = ReturnType<typeof readReceipts>[number];

/** Verifies that the log has what receipts prove to have been committed, and fails when an event is gone or altered. */
export async function verifyReceipts(asked: Asked): Promise<void> {
  const receipts = asked.receipts.flatMap(readReceipt);
  const outcomes = await asOperator(async (operator) => {
    const tenantId = asked.tenant === undefined ? undefined : (await operator.directory.get(asked.tenant)).id;
    const verified: ReceiptOutcome[] = [];
    for (const receipt of receipts) verified.push(await verifyOne(operator, receipt, tenantId, asked));
    return verified;
  });
  printOutcome(asked.json, outcomes, textOf);
  const broken = outcomes.reduce((sum, { breaks }) => sum + breaks.length, 0);
  if (broken > 0) throw new VerbFailed(`${broken} events deleted or altered`);
}

function readReceipt(given: string): Unverified[] {
  try {
    return readReceipts(existsSync(given) ? readFileSync(given, 'utf8') : given);
  } catch (error) {
    throw error instanceof ReceiptRefused ? new WrongUsage(error.message) : error;
  }
}

async function verifyOne(
  { ops, callerFor }: Operator,
  receipt: Unverified,
  tenantId: string | undefined,
  { publicKeys, receiptEvents }: Asked,
): Promise<ReceiptOutcome> {
  const { tenantId: named, requestId } = receipt.claims;
  if (tenantId !== undefined && tenantId !== named)
    throw new VerbFailed(`the receipt of request ${requestId} is of the tenant ${named}`);
  try {
    return await verifyReceipt(receipt, {
      ...{ tenants: new TenantDatabase(ops), caller: await callerFor(named) },
      ...(publicKeys.length > 0 && { logKeys: publicKeys }),
      ...(receiptEvents !== undefined && { events: linesOf(receiptEvents) }),
    });
  } catch (error) {
    throw error instanceof ReceiptRefused ? new VerbFailed(`${requestId}: ${error.message}`) : error;
  }
}

const linesOf = (file: string): CommittedEvent[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as CommittedEvent);

function textOf(outcomes: readonly ReceiptOutcome[]): string {
  const rows = outcomes.flatMap(({ receipt, breaks }) =>
    breaks.map(({ event, what }) => [
      receipt.requestId,
      event.type,
      `${event.stream.type}/${event.stream.id}`,
      what === 'missing' ? 'deleted' : `altered: ${what}`,
    ]),
  );
  const checked = outcomes.reduce((sum, each) => sum + each.checked, 0);
  const pruned = outcomes.reduce((sum, each) => sum + each.pruned, 0);
  const trust = outcomes[0]?.trust ?? 'given keys';
  const gone = pruned > 0 ? `, ${pruned} pruned and not decided` : '';
  const summary = `${outcomes.length} receipts, ${checked} events, ${rows.length} deleted or altered${gone}; by the ${trust}`;
  return rows.length === 0
    ? `${summary}.`
    : `${columns(['request', 'type', 'stream', 'what'], rows)}\n\n${summary}.`;
}
