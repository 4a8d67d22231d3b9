import type { Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { callerOf, Grants } from '@holdfast/tenancy';
import { fiveSecondsOn, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiKeyMode, generateApiKey } from './api-key';
import { CreateApiKey } from './create-api-key.command';
import { IdentityModule } from './identity.module';
import { RevokeApiKey } from './revoke-api-key.command';
import { RotateApiKey } from './rotate-api-key.command';

describe('RotateApiKey', () => {
  let database: TestDatabase;
  let app: INestApplicationContext;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(new Grants(database.as('holdfast_auth'))),
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const create = async (
    more: Partial<CreateApiKey['input']> = {},
    mode: ApiKeyMode = 'live',
    by = caller,
  ) => {
    const secret = generateApiKey(mode);
    const input = { name: 'test', scopes: ['*' as const], ...more };
    const { id } = await app.get(CommandBus).execute(new CreateApiKey(by, input, secret));
    return { id, secret: secret.text };
  };
  const rotate = async (id: string, overlapSeconds = 60, by = caller) => {
    const rotation = new RotateApiKey(by, { id, overlapSeconds });
    const { secret, ...key } = rotation.withSecret(await app.get(CommandBus).execute(rotation));
    if (secret === null) throw new Error('no secret was issued');
    return { ...key, secret };
  };
  /** A process that has cached nothing yet. */
  const opens = async (secret: string): Promise<boolean> =>
    (await new Grants(database.as('holdfast_auth', 1)).forKey(secret)) !== undefined;

  it('lets both secrets in until the overlap ends, and then the new one alone', async () => {
    const { id, secret } = await create();
    const elsewhere = new Grants(database.as('holdfast_auth'));
    expect(await elsewhere.forKey(secret)).toBeDefined();
    const rotated = await rotate(id, 1);
    expect(await opens(secret)).toBe(true);
    expect(await opens(rotated.secret)).toBe(true);
    const endsAt = Date.parse(rotated.previousSecretEndsAt ?? '');
    expect(endsAt - Date.now()).toBeLessThanOrEqual(1_000);
    // The other process had the old secret's grant in its cache, good for minutes.
    while (await opens(secret)) await sleep(100);
    expect(await fiveSecondsOn(() => elsewhere.forKey(secret))).toBeUndefined();
    expect(await elsewhere.forKey(rotated.secret)).toMatchObject({ actor: `api_key:${id}`, scopes: ['*'] });
  });

  it('ends the oldest of three secrets at once, and the one before it too without an overlap', async () => {
    const first = await create();
    const second = await rotate(first.id);
    const third = await rotate(first.id);
    expect(await Promise.all([first.secret, second.secret, third.secret].map(opens))).toEqual([
      false,
      true,
      true,
    ]);
    const fourth = await rotate(first.id, 0);
    expect(await Promise.all([second.secret, third.secret, fourth.secret].map(opens))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('keeps the key’s own end and its mode', async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const { id } = await create({ expiresAt }, 'test');
    const rotated = await rotate(id, 3_600);
    expect(rotated).toMatchObject({ expiresAt, previousSecretEndsAt: expiresAt });
    expect(rotated.secret).toMatch(/^hf_test_/);
    const grant = await new Grants(database.as('holdfast_auth', 1)).forKey(rotated.secret);
    expect(grant?.expiresAtMs).toBe(Date.parse(expiresAt));
  });

  it('leaves no secret of a key that is revoked afterwards', async () => {
    const { id, secret } = await create();
    const rotated = await rotate(id);
    await app.get(CommandBus).execute(new RevokeApiKey(caller, { id }));
    expect(await Promise.all([secret, rotated.secret].map(opens))).toEqual([false, false]);
    await expect(rotate(id)).rejects.toMatchObject({ code: 'identity.api_key_ended', kind: 'refused' });
    const events = await database.admin<{ type: string; stream_version: bigint }>(
      'select type, stream_version from events.log where stream_id = $1 order by seq',
      [id],
    );
    expect(events.map(({ type, stream_version: version }) => `${version} ${type}`)).toEqual([
      '1 identity.api_key.created',
      '2 identity.api_key.rotated',
      '3 identity.api_key.revoked',
    ]);
  });

  it('gives nobody the secret of a key that may do more than they', async () => {
    const { id, secret } = await create();
    const lesser = await create({ scopes: ['keys:write'] });
    const grant = await new Grants(database.as('holdfast_auth', 1)).forKey(lesser.secret);
    if (!grant) throw new Error('the key was not accepted');
    const by = callerOf(grant, { requestId: 'r' });
    await expect(rotate(id, 60, by)).rejects.toMatchObject({ code: 'identity.scope_not_held' });
    expect(await opens(secret)).toBe(true);
    expect((await rotate(lesser.id, 60, by)).scopes).toEqual(['keys:write']);
  });

  it('is not for the operator, who would learn a secret without an end', async () => {
    const { id, secret } = await create();
    const grant = await new Grants(database.as('holdfast_auth', 1)).forSystem('operator', caller.tenantId);
    const operator = callerOf(grant, { requestId: 'r' });
    await expect(rotate(id, 0, operator)).rejects.toMatchObject({ code: 'identity.scope_not_held' });
    expect(await opens(secret)).toBe(true);
  });

  it('answers for the key of another tenant as for one that never was', async () => {
    const { id, secret } = await create();
    const stranger = await database.caller();
    await expect(rotate(id, 0, stranger)).rejects.toMatchObject({ code: 'resource.not_found' });
    expect(await opens(secret)).toBe(true);
  });

  it('does not let two requests take the last place of the plan', async () => {
    const onFreePlan = { ...caller, plan: 'free' };
    for (let made = 0; made < 4; made += 1) await create({}, 'live', onFreePlan);
    const last = await Promise.allSettled(Array.from({ length: 3 }, () => create({}, 'live', onFreePlan)));
    const codes = last.map((one) =>
      one.status === 'fulfilled' ? 'made' : (one.reason as { code: string }).code,
    );
    expect(codes.toSorted()).toEqual(['made', 'tenants.quota_exceeded', 'tenants.quota_exceeded']);
  });
});
