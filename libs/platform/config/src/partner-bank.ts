import { z } from 'zod';
import { connectionString, variable } from './variable';

/** The bank through which payments leave this installation. */
export const partnerBank = {
  partnerBankUrl: variable(connectionString('http', 'https').optional(), {
    env: 'PARTNER_BANK_URL',
    meaning:
      'Base address of the partner bank that payments to an IBAN go through, for API and worker alike. What it has to answer is in the README of `payments`.',
    whenEmpty:
      'Fault where PARTNER_BANK_SECRET is set; otherwise payments to an IBAN are refused (`payments.bank_not_configured`).',
  }),
  partnerBankSecret: variable(z.string().min(1).optional(), {
    env: 'PARTNER_BANK_SECRET',
    meaning: 'What the partner bank knows this installation by: sent to it as a bearer token.',
    whenEmpty: 'Fault where PARTNER_BANK_URL is set.',
    secret: true,
  }),
};
