export { generateApiKey, isApiKey, type ApiKeyMode, type ApiKeySecret } from './api-key';
export { type ApiKeyView, createdApiKeyView } from './api-key-view';
export { ApiKeys } from './api-keys.query';
export { COUNT_USABLE_API_KEYS } from './api-keys.sql';
export { AuthenticationGuard, OperatorOnly, PrincipalOnly } from './authentication.guard';
export { CreateApiKey, createApiKeyForTenantInput } from './create-api-key.command';
export { type OperatorKey, Operators } from './operators';
export { ScopeNotHeld, Unauthenticated } from './identity.errors';
export { IdentityModule } from './identity.module';
export { RevokeApiKey } from './revoke-api-key.command';
export { scopeSchema } from './scopes';
export type { TrustedIssuer } from './tokens/oidc-issuer';
export { EndSupportAccess } from './support/end-support-access.command';
export { StartSupportAccess, startSupportAccessInput } from './support/start-support-access.command';
export {
  startedSupportAccessView,
  supportAccessView,
  type SupportAccessView,
} from './support/support-access-view';
export { CredentialUses } from './watch/credential-uses';
export { SupportAccesses, supportAccessesInput } from './support/support-accesses.query';
export { admitMember, type Newcomer } from './members/admit-member';
export { COUNT_ISSUERS } from './issuers/issuers.sql';
export { COUNT_MEMBERS } from './members/members.sql';
export { COUNT_ROLES } from './roles/roles.sql';
export { AddMember } from './members/add-member.command';
export type { MemberView } from './members/member';
export { RemoveMember } from './members/remove-member.command';
