export { type Commitment, commitmentTo, isCommitment, type Opening, openingOf } from './commitment';
export { KeyDirectory } from './key-directory';
export { Keyring, type Sealed, type SealingKey } from './sealing';
export { type MendedVault, mendVault } from './mend-vault';
export type { TenantKeys } from './tenant-keys';
export { type KeptValue, openVault, type PersonalValue, Vault } from './vault';
export { VaultUnavailable } from './vault.errors';
export { countDisclosures } from './vault.sql';
