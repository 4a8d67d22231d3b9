import { Grants } from '@holdfast/tenancy';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiKeyByIdHandler } from './api-key.query';
import { ApiKeysController } from './api-keys.controller';
import { ApiKeysHandler } from './api-keys.query';
import { ApiKeysResolver } from './api-keys.resolver';
import { AuthenticationGuard } from './authentication.guard';
import { CreateApiKeyHandler } from './create-api-key.command';
import { SignIns } from './issuers/sign-ins';
import { PeopleModule } from './people.module';
import { type OperatorKey, Operators } from './operators';
import { RevokeApiKeyHandler } from './revoke-api-key.command';
import { RotateApiKeyHandler } from './rotate-api-key.command';
import type { TrustedIssuer } from './tokens/oidc-issuer';
import { PrincipalGrants } from './tokens/principal-grants';
import { TokenVerifier } from './tokens/token-verifier';
import { EndSupportAccessHandler } from './support/end-support-access.command';
import { StartSupportAccessHandler } from './support/start-support-access.command';
import { SupportAccessByIdHandler } from './support/support-access.query';
import { SupportAccessesController } from './support/support-accesses.controller';
import { SupportAccessesHandler } from './support/support-accesses.query';
import { SupportAccessesResolver } from './support/support-accesses.resolver';
import { AccessRefusals } from './watch/access-refusals';
import { AccessWatch } from './watch/access-watch';
import { CredentialUses } from './watch/credential-uses';
import './identity.aggregates';
import './members/subjects.sql';

/** Who may call: API keys, members and their roles, and the guard that turns a credential into a caller. */
@Module({})
export class IdentityModule {
  static forRoot(
    grants: Grants,
    operatorKeys: readonly OperatorKey[] = [],
    issuers: readonly TrustedIssuer[] = [],
  ): DynamicModule {
    return {
      module: IdentityModule,
      global: true,
      imports: [PeopleModule],
      controllers: [ApiKeysController, SupportAccessesController],
      providers: [
        { provide: Grants, useValue: grants },
        { provide: Operators, useValue: new Operators(grants, operatorKeys) },
        { provide: TokenVerifier, useValue: new TokenVerifier(issuers) },
        SignIns,
        PrincipalGrants,
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        CreateApiKeyHandler,
        RotateApiKeyHandler,
        RevokeApiKeyHandler,
        ApiKeysHandler,
        ApiKeyByIdHandler,
        ApiKeysResolver,
        StartSupportAccessHandler,
        EndSupportAccessHandler,
        SupportAccessesHandler,
        SupportAccessByIdHandler,
        SupportAccessesResolver,
        CredentialUses,
        AccessRefusals,
        AccessWatch,
      ],
      exports: [Grants, TokenVerifier, Operators],
    };
  }
}
