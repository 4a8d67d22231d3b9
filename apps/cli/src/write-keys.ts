import { idSchema } from '@holdfast/kernel';
import { CreateWriteKey, createWriteKeyInput, RevokeWriteKey, WriteKeys } from '@holdfast/telemetry';
import { z } from 'zod';
import { parseInput, readAll } from './input';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly json?: boolean;
}

/** Makes a write key and shows it. */
export async function createWriteKey(
  tenant: string,
  { name, json }: Asked & { readonly name: string },
): Promise<void> {
  const input = parseInput(createWriteKeyInput, { name });
  const made = await asOperator(async ({ commands, directory, callerFor }) => {
    const caller = await callerFor((await directory.get(tenant)).id);
    return commands.execute(new CreateWriteKey(caller, input));
  });
  printOutcome(
    json,
    made,
    ({ id, key }) => `${key}\n\nIts id is ${id}. It is public, and may only send telemetry.`,
  );
}

/** Prints the write keys of a tenant. */
export async function listWriteKeys(tenant: string, { json }: Asked): Promise<void> {
  const keys = await asOperator(async ({ queries, directory, callerFor }) => {
    const caller = await callerFor((await directory.get(tenant)).id);
    return readAll((after) => queries.execute(new WriteKeys(caller, { limit: 200, after })));
  });
  printOutcome(json, keys, (all) =>
    columns(
      ['id', 'name', 'state', 'key'],
      all.map(({ id, name, revokedAt, key }) => [
        id,
        name,
        revokedAt === null ? 'valid' : `revoked ${revokedAt}`,
        key ?? 'not without WRITE_KEY_PRIVATE',
      ]),
    ),
  );
}

/** Ends a write key. */
export async function revokeWriteKey(tenant: string, id: string, { json }: Asked): Promise<void> {
  const { id: keyId } = parseInput(z.object({ id: idSchema }), { id });
  const revoked = await asOperator(async ({ commands, directory, callerFor }) => {
    const caller = await callerFor((await directory.get(tenant)).id);
    return commands.execute(new RevokeWriteKey(caller, { id: keyId }));
  });
  printOutcome(json, revoked, () => `Revoked ${keyId}. Ingest refuses it within a minute.`);
}
