import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';

/** What brought a member in. The role of one that an issuer's claims brought follows those claims. */
export type MemberSource = 'added' | 'invitation' | 'issuer' | 'sign-up';

/** A row of identity.members. */
export interface MemberRow {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
  readonly display_name: string | null;
  readonly built_in_role: string | null;
  readonly role_id: string | null;
  readonly source: MemberSource;
  readonly version: bigint;
  readonly stream_version: bigint;
  readonly created_at: Date;
  readonly removed_at: Date | null;
  readonly signed_in_at: Date | null;
}

/** A member on the wire. */
export const memberView = z.object({
  id: idSchema,
  issuer: z.string(),
  subject: z.string(),
  email: z.string().nullable(),
  displayName: z.string().nullable(),
  role: z
    .string()
    .nullable()
    .meta({ description: 'A built-in role or the id of one of your own; null for who was removed.' }),
  source: z.enum(['added', 'invitation', 'issuer', 'sign-up']).meta({
    description: 'What brought the member in; the role of `issuer` follows the issuer’s claims.',
  }),
  version: z.string(),
  createdAt: z.iso.datetime(),
  removedAt: z.iso.datetime().nullable(),
  signedInAt: z.iso.datetime().nullable(),
});

/** A member on the wire. */
export type MemberView = z.output<typeof memberView>;

/** The role that a member holds, as it stands on the wire and in events. */
export function roleOf(row: Pick<MemberRow, 'built_in_role' | 'role_id'>): string | null {
  return row.built_in_role ?? row.role_id;
}

/** What events say of a member: who reads the trail may have the right to see it. */
export function announcedOf(row: MemberRow): {
  readonly role: string;
  readonly email: string | undefined;
  readonly displayName: string | undefined;
} {
  return {
    role: roleOf(row) ?? '',
    email: row.email ?? undefined,
    displayName: row.display_name ?? undefined,
  };
}

/** Shows a row. */
export function showMember(row: MemberRow): MemberView {
  return {
    id: row.id,
    issuer: row.issuer,
    subject: row.subject,
    email: row.email,
    displayName: row.display_name,
    role: roleOf(row),
    source: row.source,
    version: row.version.toString(),
    createdAt: row.created_at.toISOString(),
    removedAt: row.removed_at?.toISOString() ?? null,
    signedInAt: row.signed_in_at?.toISOString() ?? null,
  };
}
