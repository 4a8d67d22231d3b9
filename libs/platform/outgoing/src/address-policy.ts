import ipaddr from 'ipaddr.js';

/** Public by its form, and not meant for us: the address of Azure's own platform services, which every virtual machine reaches. */
const REFUSED: readonly string[] = ['168.63.129.16/32'];
/** What IANA has given out as global unicast. Everything else of IPv6 is local, mapped, translated, tunnelled or unassigned. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** Why an address that a tenant has written cannot be. */
export type UrlFault = 'form' | 'scheme' | 'credentials' | 'port' | 'address';

/** The faults in words. */
export const URL_FAULTS: Readonly<Record<UrlFault, string>> = {
  form: 'Not an address.',
  scheme: 'An address goes by https.',
  credentials: 'An address holds no user and no password.',
  port: 'The port is 443, or 1024 and above.',
  address: 'Requests go to public addresses.',
};

/**
 * Where requests may go that tenants have us make: to public addresses by https, on port 443 or one that needs no privilege; and to networks that
 * the operator has named, also by http and on any port.
 *
 * Whoever writes such an address, of a webhook or a witness, chooses where a process inside our network connects to (server-side request
 * forgery), so what is not known to be public is refused. The address itself decides, at each connection: a name says
 * nothing, since its owner can point it anywhere at any moment.
 */
export class AddressPolicy {
  private readonly allowed: readonly Network[];
  private readonly refused: readonly Network[] = REFUSED.map((network) => ipaddr.parseCIDR(network));

  constructor(allowedNetworks: readonly string[] = []) {
    this.allowed = allowedNetworks.map((network) => ipaddr.parseCIDR(network));
  }

  /** What is wrong with the text as an address, as far as can be said without asking for its name. */
  faultOf(text: string): UrlFault | undefined {
    const url = URL.parse(text);
    if (!url || url.hostname === '') return 'form';
    if (url.username !== '' || url.password !== '') return 'credentials';
    const address = addressIn(url.hostname);
    const isAllowed = address ? this.isAllowed(address) : this.allowed.length > 0;
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isAllowed)) return 'scheme';
    if (!isUsual(portOf(url)) && !isAllowed) return 'port';
    return address && !this.permits(url, address) ? 'address' : undefined;
  }

  /** Whether a connection for the URL may be made to an address that its name was resolved to, or that it names. */
  permits(url: URL, address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    if (this.isAllowed(address)) return true;
    return url.protocol === 'https:' && isUsual(portOf(url)) && this.isPublic(ipaddr.parse(address));
  }

  private isAllowed(text: string): boolean {
    // ::ffff:10.0.0.1 is 10.0.0.1 to whoever connects.
    return this.allowed.some((network) => isWithin(ipaddr.process(text), network));
  }

  private isPublic(address: Address): boolean {
    if (address.kind() === 'ipv6') return isWithin(address, GLOBAL_UNICAST) && address.range() === 'unicast';
    return address.range() === 'unicast' && !this.refused.some((network) => isWithin(address, network));
  }
}

function isWithin(address: Address, [network, bits]: Network): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** Below 1024 stand the services that hosts run for themselves: mail, name service, file shares. */
function isUsual(port: number): boolean {
  return port === 443 || port >= 1_024;
}

/** The port that is connected to. */
export function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'http:' ? 80 : 443;
}

/** The address that a host of a URL spells, whose own parser has made `0x7f.1` to 127.0.0.1; undefined for a name. */
export function addressIn(hostname: string): string | undefined {
  const text = hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(text) ? text : undefined;
}
