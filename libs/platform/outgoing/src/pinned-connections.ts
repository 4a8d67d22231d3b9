import { isIPv6 } from 'node:net';
import type { Socket } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { addressIn, type AddressPolicy } from './address-policy';
import { AddressRefused, NameUnknown } from './outcome';
import type { ResolveHost } from './resolver';

/** What connections to receivers are made with. */
export interface ConnectionOptions {
  readonly policy: AddressPolicy;
  readonly resolve: ResolveHost;
  /** Certificates that are trusted besides Node's own, in PEM. */
  readonly ca?: string;
}

/** For the name, the connection and TLS together. */
const CONNECT_TIMEOUT_MS = 5_000;
/** What a receiver's headers may take. */
const HEADERS_MAX_BYTES = 16_384;
/** A connection is kept for the next events of the same receiver; every one has been looked at when it was made. */
const KEEP_ALIVE_MS = 4_000;

/**
 * Connections that go to addresses the policy permits and nowhere else.
 *
 * The name is resolved once for each connection, here; every address of the answer has to be permitted, and the connection
 * goes to one of just these. Nobody asks for the name again in between, so an owner who answers differently the second
 * time (DNS rebinding) is not asked a second time. The address that the socket ended at is looked at once more.
 */
export function pinnedAgent({ policy, resolve, ca }: ConnectionOptions): Agent {
  const connector = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    ...(ca !== undefined && { ca }),
    lookup: () => {
      throw new Error('a name was left to be resolved');
    },
  });
  const connect: buildConnector.connector = (options, settle) => {
    const url = new URL(`${options.protocol}//${options.host ?? options.hostname}`);
    const begin = async (): Promise<void> => {
      const address = await permittedAddress(url, policy, resolve);
      const servername = options.servername ?? (addressIn(url.hostname) === undefined ? url.hostname : '');
      connector({ ...options, hostname: address, servername }, checked(url, policy, settle));
    };
    begin().catch((error: Error) => settle(error, null));
  };
  return new Agent({ connect, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: HEADERS_MAX_BYTES });
}

async function permittedAddress(url: URL, policy: AddressPolicy, resolve: ResolveHost): Promise<string> {
  const literal = addressIn(url.hostname);
  const addresses = literal === undefined ? await resolve(url.hostname) : [literal];
  if (!addresses.every((address) => policy.permits(url, address))) throw new AddressRefused();
  // IPv4 first: where a host has no way out by IPv6, connecting by it takes the whole time there is.
  const [address] = addresses.toSorted((one, other) => Number(isIPv6(one)) - Number(isIPv6(other)));
  if (address === undefined) throw new NameUnknown();
  return address;
}

function checked(
  url: URL,
  policy: AddressPolicy,
  callback: buildConnector.Callback,
): buildConnector.Callback {
  return (...connected: Parameters<buildConnector.Callback>) => {
    const [error, socket] = connected;
    if (error !== null || socket === null || isPermitted(url, policy, socket)) callback(...connected);
    else {
      socket.destroy();
      callback(new AddressRefused(), null);
    }
  };
}

function isPermitted(url: URL, policy: AddressPolicy, { remoteAddress }: Socket): boolean {
  return remoteAddress !== undefined && policy.permits(url, remoteAddress);
}
