import { z } from 'zod';

/** What an event `audit.log.pruned` says, of whichever tenant's log. */
export interface PruningNotice {
  readonly epoch: number;
  /** The leaf below which rows may be gone. */
  readonly prunedTo: number;
}

const noticeSchema = z.looseObject({
  tenantId: z.string().optional(),
  epoch: z.int(),
  prunedTo: z.union([z.string().regex(/^\d{1,15}$/), z.int().min(0)]),
});

/** Who removes rows. Whoever else says that some are gone may have removed them. */
const PRUNER = 'system:pruner';

/**
 * Reads a notice of the retention's; `foreign` is one that came with an export of another tenant, and says of this log nothing
 * but that streams may begin later. Undefined: it is none of the retention's.
 */
export function readPruningNotice(
  event: { readonly actor: string; readonly act: string | null; readonly tenantId: string },
  payload: unknown,
): PruningNotice | 'foreign' | undefined {
  const { success, data } = noticeSchema.safeParse(payload);
  if (!success || event.actor !== PRUNER || event.act !== null) return undefined;
  if (data.tenantId !== undefined && data.tenantId !== event.tenantId) return 'foreign';
  return { epoch: data.epoch, prunedTo: Number(data.prunedTo) };
}
