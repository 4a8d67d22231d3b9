export { AddressPolicy, URL_FAULTS, type UrlFault } from './address-policy';
export { AddressRefused, type PostOutcome } from './outcome';
export { type Answer, type Posting, type PostLimits, Postman } from './post';
export { type ResolveHost, resolveByDns } from './resolver';
