import { assetSchema } from '@holdfast/kernel';
import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Which total of an account may not pass the other, held after every transfer. */
export const limitRuleSchema = z.enum([
  'none',
  'debits_must_not_exceed_credits',
  'credits_must_not_exceed_debits',
]);

/** The side on which the account's balance is counted as positive. */
export const normalBalanceSchema = z.enum(['debit', 'credit']);

const digits = z.string().regex(/^[0-9]{1,19}$/);

/** Announced when an account is opened. */
export const accountOpened = eventType('ledger.account.opened', {
  version: 1,
  description: 'An account was opened. Its code is left out: tenants put names of people into codes.',
  schema: z.strictObject({ asset: assetSchema, normalBalance: normalBalanceSchema, limit: limitRuleSchema }),
  example: { asset: 'EUR/2', normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' },
});

/** Announced when an account takes no new bookings any more, and when it does again. */
export const accountClosed = eventType('ledger.account.closed', {
  version: 1,
  description:
    'An account was closed: it takes no new transfers and holds. Holds that are open still end on it.',
  schema: z.strictObject({}),
  example: {},
});
export const accountReopened = eventType('ledger.account.reopened', {
  version: 1,
  description: 'A closed account was opened again.',
  schema: z.strictObject({}),
  example: {},
});
export const accountChanged = eventType('ledger.account.changed', {
  version: 1,
  description:
    'The metadata of an account was changed. It is left out, since tenants write what they like into it.',
  schema: z.strictObject({ fields: z.array(z.enum(['metadata'])) }),
  example: { fields: ['metadata'] },
});

/** Announced when days are closed for bookings, and when some are opened again. */
export const periodClosed = eventType('ledger.period.closed', {
  version: 1,
  description: 'All days up to one, that day included, were closed: nothing can be dated back into them.',
  schema: z.strictObject({ closedThrough: z.iso.date() }),
  example: { closedThrough: '2026-10-31' },
});
export const periodReopened = eventType('ledger.period.reopened', {
  version: 1,
  description: 'Days that were closed take bookings again; null where none is closed any more.',
  schema: z.strictObject({ closedThrough: z.iso.date().nullable() }),
  example: { closedThrough: '2026-09-30' },
});

/** What `ledger.post_items` writes by itself of whatever takes effect; a test holds what it writes to the schemas. */
const bookedFields = {
  debitAccountId: z.guid(),
  creditAccountId: z.guid(),
  asset: assetSchema,
  amount: digits,
  debitVersion: digits,
  creditVersion: digits,
  bookedAt: z.iso.datetime(),
};
const bookedExample = {
  debitAccountId: '019a0000-0000-7000-8000-000000000001',
  creditAccountId: '019a0000-0000-7000-8000-000000000002',
  asset: 'EUR/2',
  amount: '1234',
  debitVersion: '7',
  creditVersion: '12',
  bookedAt: '2026-11-26T12:00:00.123456Z',
};
const VERSIONS =
  'Amount and versions are decimal strings. `debitVersion` and `creditVersion` are the versions that it left on its ' +
  'accounts, so that a consumer can order and count an account’s entries without reading them.';

/** Both legs of a transfer. */
export const transferPosted = eventType('ledger.transfer.posted', {
  version: 1,
  description: `A transfer was posted; its stream is the transfer. ${VERSIONS} \`effectiveDate\` is there where another day than that of booking was asked for.`,
  schema: z.strictObject({ ...bookedFields, effectiveDate: z.iso.date().optional() }),
  example: bookedExample,
});
/** A transfer the other way round. */
export const transferReversed = eventType('ledger.transfer.reversed', {
  version: 1,
  description:
    'A posted transfer was made the other way round by the transfer `transferId`; the accounts are those of the latter. ' +
    `Its stream is the transfer \`reversedId\`. ${VERSIONS}`,
  schema: z.strictObject({
    ...bookedFields,
    transferId: z.guid(),
    reversedId: z.guid(),
    effectiveDate: z.iso.date().optional(),
  }),
  example: {
    ...bookedExample,
    transferId: '019a0000-0000-7000-8000-000000000009',
    reversedId: '019a0000-0000-7000-8000-000000000003',
  },
});
/** The beginning of a hold. */
export const holdPlaced = eventType('ledger.hold.placed', {
  version: 1,
  description: `An amount is held between two accounts, until the hold is posted, voided or expires; its stream is the hold. ${VERSIONS}`,
  schema: z.strictObject({
    ...bookedFields,
    effectiveDate: z.iso.date().optional(),
    expiresAt: z.iso.datetime().optional(),
  }),
  example: { ...bookedExample, expiresAt: '2026-11-26T13:00:00.123456Z' },
});
/** How a hold can end. The stream is the hold, the transfer `transferId` what ended it. */
const endedFields = { ...bookedFields, transferId: z.guid() };
const endedExample = { ...bookedExample, transferId: '019a0000-0000-7000-8000-000000000009' };
/** The ends of a hold: posted, given back, or its time over. */
export const holdPosted = eventType('ledger.hold.posted', {
  version: 1,
  description: `A hold was posted, in part where the amount is less than what was held; the rest was given back. ${VERSIONS}`,
  schema: z.strictObject(endedFields),
  example: endedExample,
});
export const holdVoided = eventType('ledger.hold.voided', {
  version: 1,
  description: `A hold was given back; the amount is what was held. ${VERSIONS}`,
  schema: z.strictObject(endedFields),
  example: endedExample,
});
export const holdExpired = eventType('ledger.hold.expired', {
  version: 1,
  description: `A hold was given back since its time was over; the amount is what was held. ${VERSIONS}`,
  schema: z.strictObject(endedFields),
  example: endedExample,
});

/** Announced once of each row that the controls find broken. */
export const controlBroken = eventType('ledger.control.broken', {
  version: 1,
  description:
    'A row of the ledger does not hold what its controls demand of it. `table` and `rowId` name it (of a sum, `rowId` is the ' +
    'asset), `rule` is what does not hold, and `expected` what would. Announced once, until it is mended.',
  schema: z.strictObject({ rule: z.string(), table: z.string(), rowId: z.string(), expected: z.string() }),
  example: {
    rule: 'posted',
    table: 'ledger.accounts',
    rowId: '019a0000-0000-7000-8000-000000000001',
    expected: 'posted debits 200 and credits 100, as version 3 left them',
  },
});
