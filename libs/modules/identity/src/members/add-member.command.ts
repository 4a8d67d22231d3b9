import { type TenantTx } from '@holdfast/tenancy';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { unknownIssuer } from './members.errors';
import { roleReference } from '../roles/role';
import { TokenVerifier } from '../tokens/token-verifier';
import { admitMember } from './admit-member';
import { type MemberView, showMember } from './member';

/** What PATCH /v1/members/{id} may change besides the role. */
export const memberContent = {
  email: z
    .email()
    .max(320)
    .nullish()
    .meta({ description: 'Shown, and used for nothing.', examples: ['ann@example.com'] }),
  displayName: z.string().trim().min(1).max(200).nullish(),
};

/** What POST /v1/members takes. */
export const addMemberInput = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(500)
    .meta({ description: 'Who signs the person in.', examples: ['https://id.example.com'] }),
  subject: z.string().min(1).max(255).meta({ description: 'What the issuer calls the person: `sub`.' }),
  role: roleReference,
  ...memberContent,
});

/** Makes a person whom the caller knows by issuer and subject a member of the caller's tenant. */
export class AddMember extends TenantCommand<z.output<typeof addMemberInput>, MemberView> {
  readonly scope = 'members:write';
}

@CommandHandler(AddMember)
export class AddMemberHandler extends TenantCommandHandler<AddMember> {
  constructor(private readonly tokens: TokenVerifier) {
    super();
  }

  protected async handle(tx: TenantTx, { input }: AddMember): Promise<MemberView> {
    if (!this.tokens.trusted.includes(input.issuer)) throw unknownIssuer();
    return showMember(await admitMember(tx, { ...input, source: 'added' }));
  }
}
