import { generateApiKey, StartSupportAccess, startSupportAccessInput } from '@holdfast/identity';
import { parseInput } from './input';
import { asOperator } from './operator';
import { printOutcome } from './output';

interface Asked {
  readonly reason: string;
  readonly minutes: string;
  readonly scopes?: string;
  readonly member?: string;
  readonly json?: boolean;
}

/** Begins to act for a tenant and shows the secret to do it with. */
export async function startSupport(
  tenant: string,
  { reason, minutes, scopes, member, json }: Asked,
): Promise<void> {
  const input = parseInput(startSupportAccessInput, {
    reason,
    minutes: Number(minutes),
    scopes: scopes?.split(','),
    memberId: member,
  });
  const secret = generateApiKey('live');
  const access = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id } = await directory.get(tenant);
    return commands.execute(new StartSupportAccess(await callerFor(id), input, secret));
  });
  printOutcome(
    json,
    { ...access, secret: secret.text },
    ({ expiresAt, secret: shown }) =>
      `${shown}\n\nIt ends at ${expiresAt}. The tenant sees it, and the reason.`,
  );
}
