import { AddressPolicy } from './address-policy';

const https = new URL('https://receiver.example.com/hook');

describe('The address policy', () => {
  const strict = new AddressPolicy();

  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.8.8.8',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '4000::1',
  ])('refuses a connection to %s', (address) => {
    expect(strict.permits(https, address)).toBe(false);
  });

  it.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])(
    'lets a connection to %s through',
    (address) => expect(strict.permits(https, address)).toBe(true),
  );

  it.each([
    ['not a url', 'form'],
    ['ftp://example.com/', 'scheme'],
    ['http://example.com/', 'scheme'],
    ['javascript:alert(1)', 'form'],
    ['https://user:pass@example.com/', 'credentials'],
    ['https://user@example.com/', 'credentials'],
    ['https://example.com:22/', 'port'],
    ['https://example.com:80/', 'port'],
    ['https://127.0.0.1/', 'address'],
    ['https://0x7f.1/', 'address'],
    ['https://2130706433/', 'address'],
    ['https://017700000001/', 'address'],
    ['https://①②⑦.0.0.1/', 'address'],
    ['https://[::1]/', 'address'],
    ['https://[::ffff:169.254.169.254]/', 'address'],
    ['https://169.254.169.254/latest/meta-data', 'address'],
  ])('refuses %s for its %s', (url, fault) => {
    expect(strict.faultOf(url)).toBe(fault);
  });

  it.each([
    'https://example.com/hook?a=b',
    'https://example.com:8443/',
    'https://1.1.1.1/',
    'https://[2606:4700::1]/',
  ])('takes %s', (url) => expect(strict.faultOf(url)).toBeUndefined());

  it('takes http and any port where the operator has named the network, and nowhere else', () => {
    const inside = new AddressPolicy(['10.1.0.0/16', '::1/128']);
    const http = new URL('http://receiver.inside:81/');
    expect(inside.permits(http, '10.1.2.3')).toBe(true);
    expect(inside.permits(http, '::ffff:10.1.2.3')).toBe(true);
    expect(inside.permits(http, '10.2.0.1')).toBe(false);
    expect(inside.permits(http, '8.8.8.8')).toBe(false);
    expect(inside.permits(https, '8.8.8.8')).toBe(true);
    expect(inside.faultOf('http://10.1.0.1:25/')).toBeUndefined();
    expect(inside.faultOf('http://10.2.0.1/')).toBe('scheme');
    expect(inside.faultOf('http://receiver.inside/')).toBeUndefined();
    expect(inside.faultOf('http://[::1]:9/')).toBeUndefined();
  });
});
