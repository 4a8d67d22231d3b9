import { z } from 'zod';

/** Country, check digits and the country's own number: ISO 13616, up to 34 characters. */
const FORM = /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/;

/** Whether the check digits are those of ISO 7064, MOD 97-10: no mistyped digit, and no two exchanged, pass. */
function isChecked(iban: string): boolean {
  const moved = `${iban.slice(4)}${iban.slice(0, 4)}`;
  let remainder = 0;
  for (const character of moved) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

/** An IBAN, without blanks. */
export const ibanSchema = z
  .string()
  .regex(FORM, { error: 'An IBAN is a country, two check digits and a number, without blanks.', abort: true })
  .refine(isChecked, { error: 'The check digits of this IBAN are wrong.' })
  .meta({ examples: ['DE89370400440532013000'] });

/** What is kept of an IBAN that is not paid to any more: enough for people to tell theirs apart, and too little to name an account. */
export function shortened(iban: string): string {
  return `${iban.slice(0, 2)}…${iban.slice(-4)}`;
}
