import ipaddr from 'ipaddr.js';

/** Of an IPv6 address the network: 64 bits are what one subscriber is given, who may change the others at will. */
const IPV6_NETWORK_GROUPS = 4;

/** What a client's address is counted under: an IPv4 address by itself, an IPv6 address by its /64. */
export function addressKey(ip: string): string {
  if (!ipaddr.isValid(ip)) return 'unknown';
  // An IPv4 client of a socket that listens on both is written ::ffff:192.0.2.1, and is the same client.
  const address = ipaddr.process(ip);
  if (address.kind() === 'ipv4') return address.toString();
  const network = (address as ipaddr.IPv6).parts.slice(0, IPV6_NETWORK_GROUPS);
  return `${network.map((group) => group.toString(16)).join(':')}::/64`;
}
