import type { Caller, Principal } from '@holdfast/kernel';
import { MessagesModule, type TenantCommand } from '@holdfast/cqrs';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { randomBytes, randomUUID } from 'node:crypto';
import { IdentityModule } from '../src/identity.module';
import { AddMember } from '../src/members/add-member.command';
import type { MemberView } from '../src/members/member';
import { CreateRole } from '../src/roles/create-role.command';
import type { RoleView } from '../src/roles/role';
import type { TrustedIssuer } from '../src/tokens/oidc-issuer';

/** The issuer that the tests' people come from. Nobody asks it for anything. */
export const ISSUER: TrustedIssuer = {
  issuer: 'https://id.example.com',
  audience: ['holdfast'],
  algorithms: ['ES256'],
  clockToleranceSeconds: 5,
  maxAgeSeconds: 86_400,
  requireTyp: true,
};

/** The module with its buses over a database of its own. */
export class IdentityApp {
  private constructor(
    readonly database: TestDatabase,
    readonly grants: Grants,
    private readonly app: INestApplicationContext,
  ) {}

  static async start(): Promise<IdentityApp> {
    const database = await TestDatabase.create();
    const grants = new Grants(database.as('holdfast_auth'));
    const imports = [
      MessagesModule.forRoot(database.tenants(10)),
      IdentityModule.forRoot(grants, [], [ISSUER]),
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new IdentityApp(database, grants, app);
  }

  async close(): Promise<void> {
    await this.app.close();
    this.grants.close();
    await this.database.drop();
  }

  execute<Answer>(command: TenantCommand<unknown, Answer>): Promise<Answer> {
    return this.app.get(CommandBus).execute(command);
  }

  get queries(): QueryBus {
    return this.app.get(QueryBus);
  }

  add(by: Caller, role: string, subject: string = randomUUID()): Promise<MemberView> {
    return this.execute(new AddMember(by, { issuer: ISSUER.issuer, subject, role }));
  }

  defineRole(by: Caller, ...permissions: string[]): Promise<RoleView> {
    return this.execute(new CreateRole(by, { name: randomUUID(), permissions }));
  }

  /** The caller that a member is, as a process sees it that has cached nothing. */
  async as({ subject }: MemberView, tenantId: string): Promise<Caller | undefined> {
    const grants = new Grants(this.database.as('holdfast_auth', 1));
    const grant = await grants.forMember(ISSUER.issuer, subject, tenantId);
    return grant && callerOf(grant, { requestId: 'test' });
  }

  /** What was announced about an object, oldest first. */
  events(id: string): Promise<{ type: string; data: object }[]> {
    return this.database.admin('select type, data from events.log where stream_id = $1 order by seq', [id]);
  }
}

/** Somebody whose token has been verified. */
export function principalOf(subject: string, claims: Readonly<Record<string, unknown>> = {}): Principal {
  return { issuer: ISSUER.issuer, subject, claims, tokenHash: randomBytes(32) };
}
