export { type ApiConfig, type App, type Configs, type IngestConfig, type WorkerConfig } from './apps.config';
export { type ConfigFault, ConfigRefused } from './config-refused';
export { POLICIES, type PolicyChanges, type PolicyName, type PolicySettings } from './policies';
export { describeConfig } from './describe-config';
export { configOrExit, type Environment, environmentWith, readConfig } from './read-config';
export { developmentPassword, developmentUrl, type LoginRole, loginRoles, roleVariables } from './roles';
export { version } from './version';
export { type IssuerConfig, withAudience } from './issuers';
