import { NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { auditStreamView, outcomeOf, outcomeSchema } from '../trail/audit-event-view';
import { type Placed, prune, treeOf } from './chain-tree';
import { type ChainRow, listAncestors, listOfRequest } from './chain.sql';

/** An event in its place among causes and effects. */
export const auditChainNodeView = z.object({
  id: z.guid(),
  depth: z.int().meta({ description: 'How many of the events shown led to it, each behind the other.' }),
  causationId: z.string().nullable(),
  requestId: z.string(),
  type: z.string(),
  stream: auditStreamView,
  actor: z.string(),
  act: z.string().nullable(),
  outcome: outcomeSchema,
  occurredAt: z.string(),
});

/** Why an event came to be, and what came of it. */
export const auditChainView = z.object({
  requestId: z.string().meta({ description: 'The request, or job, at the root of all of it.' }),
  nodes: z
    .array(auditChainNodeView)
    .meta({ description: 'The tree, each event behind its cause; what the request did itself has depth 0.' }),
  truncated: z.boolean().meta({ description: 'Whether there is more than is shown.' }),
});

/** Why an event came to be, and what came of it. */
export type AuditChainView = z.output<typeof auditChainView>;

/** What is shown at most. */
const NODES_MAX = 200;
/** Causes of causes that are followed upwards. */
const DEPTH_MAX = 64;
/** Events of one request that are looked at, of those without a cause and of those with one each: a batch has thousands. */
const LOOKED_AT_MAX = 1_000;

/** The causes of an event up to the request that set all off, its effects, and what else that request did. Throws NotFound. */
export class AuditChain extends TenantQuery<{ readonly id: string }, AuditChainView> {
  readonly scope = 'audit:read';
}

@QueryHandler(AuditChain)
export class AuditChainHandler implements IQueryHandler<AuditChain> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input: { id } }: AuditChain): Promise<AuditChainView> {
    const chain = await this.tenants.reading(caller, (tx) => chainOf(tx, id));
    await this.readings.record(caller, { what: 'chain', of: [id] });
    return chain;
  }
}

async function chainOf(tx: TenantTx, id: string): Promise<AuditChainView> {
  const ancestors = await listAncestors(tx, id, DEPTH_MAX);
  const root = ancestors.at(-1);
  if (!root) throw new NotFound();
  const ofRequest = await listOfRequest(tx, root.correlation_id, LOOKED_AT_MAX);
  const rows = [...new Map([...ancestors, ...ofRequest].map((row) => [row.id, row])).values()];
  const nodes = prune(treeOf(rows), id, NODES_MAX);
  const isCut = ancestors.length > DEPTH_MAX || isFull(ofRequest);
  return {
    requestId: root.correlation_id,
    nodes: nodes.map(showNode),
    truncated: isCut || nodes.length < rows.length,
  };
}

/** Whether there may be more of either kind than was looked at. */
function isFull(rows: readonly ChainRow[]): boolean {
  const direct = rows.filter(({ causation_id: cause }) => cause === null).length;
  return Math.max(direct, rows.length - direct) === LOOKED_AT_MAX;
}

function showNode({ link: row, depth }: Placed<ChainRow>): AuditChainView['nodes'][number] {
  return {
    id: row.id,
    depth,
    causationId: row.causation_id,
    requestId: row.correlation_id,
    type: row.type,
    stream: { type: row.stream_type, id: row.stream_id, version: row.stream_version.toString() },
    actor: row.actor,
    act: row.act,
    outcome: outcomeOf(row.type),
    occurredAt: row.occurred_at,
  };
}
