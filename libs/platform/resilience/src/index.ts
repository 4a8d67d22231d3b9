export {
  beginDrill,
  configurePolicies,
  type Drill,
  type HeardDrill,
  HeardDrills,
  lateMs,
  listPolicyStates,
  type PolicyState,
  settingsOf,
} from './policies';
export { type Call, Policy, type PolicyOptions } from './policy';
export { NamedCalls } from './named-calls';
export { QuickPolicy, type QuickPolicyOptions } from './quick-policy';
export { type AwayReason, DependencyAway, DrillFailure } from './policy.errors';
