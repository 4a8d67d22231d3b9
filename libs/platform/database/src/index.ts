export { Database, type DatabaseOptions } from './database';
export {
  ChangeNotRecorded,
  DatabaseBusy,
  DatabaseUnavailable,
  OutcomeUnknown,
  TenantContextRefused,
  isOutage,
  sqlDetail,
  sqlState,
  violates,
} from './database-errors';
export { dumpPolicies, dumpStructure } from './dump-structure';
export { migrate, setRolePasswords, MIGRATIONS_DIRECTORY } from './migrate';
export { setRoleSettings } from './session-settings';
export {
  registeredStatements,
  refuseUtility,
  statement,
  type Statement,
  UtilityStatementRefused,
} from './statement';
export { type Access, type Connection, SystemTx, Transaction } from './transaction';
