/** By what the witnesses of the configuration are asked for: a list is no class. */
export const CONFIGURED_WITNESSES = Symbol('configured witnesses');
