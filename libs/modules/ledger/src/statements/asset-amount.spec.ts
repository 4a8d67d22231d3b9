import { codeOf, decimalOf, readableOf } from './asset-amount';

describe('Amounts of an asset', () => {
  test.each([
    ['EUR/2', '0', '0.00', '0.00'],
    ['EUR/2', '5', '0.05', '0.05'],
    ['EUR/2', '-5', '-0.05', '\u22120.05'],
    ['EUR/2', '123456', '1234.56', '1\u202f234.56'],
    ['EUR/2', '-100000', '-1000.00', '\u22121\u202f000.00'],
    ['JPY/0', '1234567', '1234567', '1\u202f234\u202f567'],
    ['ETH/18', '1', '0.000000000000000001', '0.000000000000000001'],
    ['ETH/18', '9223372036854775807', '9.223372036854775807', '9.223372036854775807'],
  ])('of %s show %s minor units as %s, and as %s to people', (asset, minorUnits, decimal, readable) => {
    expect([decimalOf(asset, minorUnits), readableOf(asset, minorUnits)]).toEqual([decimal, readable]);
  });

  test('have the code of their asset', () => expect(codeOf('EUR/2')).toBe('EUR'));
});
