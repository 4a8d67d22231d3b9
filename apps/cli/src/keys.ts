import {
  ApiKeys,
  CreateApiKey,
  createApiKeyForTenantInput,
  generateApiKey,
  RevokeApiKey,
} from '@holdfast/identity';
import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { parseInput, readAll } from './input';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';
import { rotateSigningKey } from './signing-keys.sql';

interface Asked {
  readonly json?: boolean;
}

interface CreateAsked extends Asked {
  readonly name: string;
  readonly scopes: string;
  readonly expires?: string;
  readonly test?: boolean;
  readonly reason?: string;
}

/** Makes a key and shows its secret. */
export async function createKey(
  tenant: string,
  { name, scopes, expires, test, reason, json }: CreateAsked,
): Promise<void> {
  const input = parseInput(createApiKeyForTenantInput, {
    name,
    scopes: scopes.split(','),
    expiresAt: expires ?? null,
    reason,
  });
  const secret = generateApiKey(test ? 'test' : 'live');
  const made = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id } = await directory.get(tenant);
    return commands.execute(new CreateApiKey(await callerFor(id), input, secret));
  });
  printOutcome(
    json,
    { ...made, secret: secret.text },
    ({ id, secret: shown }) => `${shown}\n\nIts id is ${id}. It is not shown again.`,
  );
}

/** Prints the keys of a tenant. */
export async function listKeys(tenant: string, { json }: Asked): Promise<void> {
  const keys = await asOperator(async ({ queries, directory, callerFor }) => {
    const caller = await callerFor((await directory.get(tenant)).id);
    return readAll((after) => queries.execute(new ApiKeys(caller, { limit: 200, after })));
  });
  printOutcome(json, keys, (all) =>
    columns(
      ['id', 'prefix', 'name', 'scopes', 'state'],
      all.map((key) => [key.id, key.prefix, key.name, key.scopes.join(' '), stateOf(key)]),
    ),
  );
}

function stateOf({
  revokedAt,
  expiresAt,
}: {
  readonly revokedAt: string | null;
  readonly expiresAt: string | null;
}): string {
  if (revokedAt !== null) return `revoked ${revokedAt}`;
  if (expiresAt === null) return 'valid';
  return Date.parse(expiresAt) < Date.now() ? `expired ${expiresAt}` : `valid until ${expiresAt}`;
}

/** Ends a key. */
export async function revokeKey(tenant: string, id: string, { json }: Asked): Promise<void> {
  const { id: keyId } = parseInput(z.object({ id: idSchema }), { id });
  const revoked = await asOperator(async ({ commands, directory, callerFor }) => {
    const caller = await callerFor((await directory.get(tenant)).id);
    return commands.execute(new RevokeApiKey(caller, { id: keyId }));
  });
  printOutcome(json, revoked, () => `Revoked ${keyId}.`);
}

/** Rotates the key that signs grants. */
export async function rotateSigning({ json }: Asked): Promise<void> {
  const keyId = await asOperator(({ ops }) => rotateSigningKey(ops));
  printOutcome(json, { keyId }, () => `Grants are signed with key ${keyId} from here on.`);
}
