import { createHash, randomInt } from 'node:crypto';
import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** A fresh invitation. `text` is shown to its maker once; only `hash` is stored. */
export interface InvitationToken {
  readonly text: string;
  readonly hash: Buffer;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 30 base62 digits hold 178 random bits. */
const RANDOM_LENGTH = 30;
const SHAPE = /^hfi_([0-9a-f]{32})_[0-9A-Za-z]{30}$/;

/** Makes a token. It names its tenant, because whoever accepts it has none yet, and knowing the name opens nothing. */
export function generateInvitationToken(tenantId: string): InvitationToken {
  const random = Array.from({ length: RANDOM_LENGTH }, () => DIGITS[randomInt(DIGITS.length)]).join('');
  const text = `hfi_${tenantId.replaceAll('-', '')}_${random}`;
  return { text, hash: hashOfToken(text) };
}

/** The tenant that a token names, or undefined for a text that is none. */
export function tenantOfToken(text: string): string | undefined {
  const [, hex] = SHAPE.exec(text) ?? [];
  return hex?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What is stored of a token. */
export function hashOfToken(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** A row of identity.invitations. */
export interface InvitationRow {
  readonly id: string;
  readonly email: string | null;
  readonly built_in_role: string | null;
  readonly role_id: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
  readonly accepted_at: Date | null;
  readonly member_id: string | null;
  readonly is_expired: boolean;
}

const statusSchema = z.enum(['pending', 'accepted', 'revoked', 'expired']);

/** An invitation on the wire. */
export const invitationView = z.object({
  id: idSchema,
  status: statusSchema,
  email: z.string().nullable(),
  role: z.string().nullable().meta({ description: 'Null once the invitation is accepted or revoked.' }),
  createdBy: z.string().meta({ description: 'The actor that invited.' }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  memberId: idSchema.nullable().meta({ description: 'Who accepted.' }),
});

/** An invitation just made: the one time that its token is shown. A replay of the request answers null in its place. */
export const createdInvitationView = invitationView.extend({ token: z.string().nullable() });

/** An invitation on the wire. */
export type InvitationView = z.output<typeof invitationView>;

/** Shows a row. */
export function showInvitation(row: InvitationRow): InvitationView {
  return {
    id: row.id,
    status: statusOf(row),
    email: row.email,
    role: row.built_in_role ?? row.role_id,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    memberId: row.member_id,
  };
}

/** What has become of an invitation; by the database's clock. */
export function statusOf(row: InvitationRow): z.output<typeof statusSchema> {
  if (row.accepted_at) return 'accepted';
  if (row.revoked_at) return 'revoked';
  return row.is_expired ? 'expired' : 'pending';
}

/** Whether the claims are those of the person at the address: an issuer that says it has not verified it does not count. */
export function isAddressOf(email: string, claims: Readonly<Record<string, unknown>>): boolean {
  const { email: claimed, email_verified: verified } = claims;
  if (typeof claimed !== 'string' || verified === false || verified === 'false') return false;
  return claimed.toLowerCase() === email.toLowerCase();
}
