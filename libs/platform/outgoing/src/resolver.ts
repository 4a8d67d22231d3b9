import { Resolver as DnsResolver } from 'node:dns/promises';
import { isDnsNothing } from './outcome';

/** Answers the addresses of a host name, all of them; none when there are none. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

/** Two tries of two seconds: within the time that a connection may take. */
const TIMEOUT_MS = 2_000;
const TRIES = 2;
/** More than any honest name has; each is looked at. */
const ADDRESSES_MAX = 32;

/**
 * Asks the name servers of this machine, without its hosts file. Not by `getaddrinfo`, which Node runs on four threads for the
 * whole process: a tenant whose name server keeps silent would hold up everybody's files and names.
 */
export function resolveByDns(): ResolveHost {
  const resolver = new DnsResolver({ timeout: TIMEOUT_MS, tries: TRIES });
  return async (hostname) => {
    // RFC 6761 §6.3: never asked of a server.
    if (hostname === 'localhost' || hostname.endsWith('.localhost')) return ['127.0.0.1'];
    const asked = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const found = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length > 0) return found.slice(0, ADDRESSES_MAX);
    const failure = asked.find((answer) => answer.status === 'rejected' && !isDnsNothing(answer.reason));
    if (failure?.status === 'rejected') throw failure.reason;
    return [];
  };
}
