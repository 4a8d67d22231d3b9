import { statement } from '@holdfast/database';
import { NIL } from '../sealing/growing-tree';
import type { InstallationEntries, InstallationEntry, PlacedEntry } from '../sealing/installation-log';

const LIST_UNPLACED = statement<InstallationEntry>(
  'audit.list_unplaced_receipt_keys',
  `select id, entry from audit.receipt_keys
   where leaf is null and certificate is null
   order by registered_at, id
   limit $1`,
);

// A certificate that was given stays: it proves what it proved, whatever epoch its key is sealed in again.
const PLACE = statement(
  'audit.place_receipt_keys',
  `update audit.receipt_keys k
   set epoch = $1, leaf = p.leaf
   from (
     select replace(u.id, '-', '') as id, $2::bigint + u.place - 1 as leaf
     from unnest($3::text[]) with ordinality u (id, place)) p
   where k.id = p.id`,
);

const LIST_UNCERTIFIED = statement<{ readonly id: string; readonly entry: string; readonly leaf: bigint }>(
  'audit.list_uncertified_receipt_keys',
  `select id, entry, leaf from audit.receipt_keys
   where certificate is null and epoch = $1 and leaf < $2
   order by registered_at, id
   limit $3`,
);

const CERTIFY = statement(
  'audit.certify_receipt_keys',
  `update audit.receipt_keys k
   set certificate = c.certificate
   from unnest($1::text[], $2::text[]) c (id, certificate)
   where k.id = c.id and k.certificate is null`,
);

/** The keys of receipts as what the installation's own log is made of. An id of 16 bytes is a UUID to PostgreSQL. */
export const receiptKeyEntries: InstallationEntries = {
  tenantId: NIL,
  listUnplaced: (tx, limit) => tx.rows(LIST_UNPLACED, [limit]),
  place: async (tx, epoch, firstLeaf, ids) => void (await tx.execute(PLACE, [epoch, firstLeaf, ids])),
  listUncertified: async (tx, epoch, size, limit): Promise<PlacedEntry[]> => {
    const rows = await tx.rows(LIST_UNCERTIFIED, [epoch, size, limit]);
    return rows.map(({ leaf, ...row }) => ({ ...row, leaf: Number(leaf) }));
  },
  certify: async (tx, certificates) => {
    const ids = certificates.map(({ id }) => id);
    await tx.execute(CERTIFY, [ids, certificates.map(({ certificate }) => certificate)]);
  },
};
