import { ibanSchema } from './iban';

describe('An IBAN', () => {
  it.each([
    'DE89370400440532013000',
    'GB82WEST12345698765432',
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
  ])('may be %s', (iban) => expect(ibanSchema.safeParse(iban).success).toBe(true));

  it.each([
    'DE89370400440532013001',
    'DE98370400440532013000',
    'DE8937040044',
    'de89370400440532013000',
    'DE89 3704 0044 0532 0130 00',
    '',
  ])('is not %s', (iban) => expect(ibanSchema.safeParse(iban).error?.issues).toHaveLength(1));
});
