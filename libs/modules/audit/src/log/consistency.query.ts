import { InvalidInput } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase } from '@holdfast/tenancy';
import { consistencyProof, rootFromTiles } from '@holdfast/tlog';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { getCheckpoint } from './checkpoint.query';
import type { OfEpoch } from './log-epoch';
import { tilesOfEpoch } from './tiles.sql';

/** Two sizes of a tree; `to` is that of the newest checkpoint unless it is given. */
export interface ConsistencyChoice extends OfEpoch {
  readonly from: number;
  readonly to?: number | undefined;
}

/** The proof that the tree of the larger size begins with the leaves of the smaller one. Throws InvalidInput, NotSealed. */
export class LogConsistency extends TenantQuery<ConsistencyChoice, ConsistencyProof> {
  readonly scope = 'audit:read';
}

/** A consistency proof with the roots that it leads to. */
export interface ConsistencyProof {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly oldRoot: Buffer;
  readonly newRoot: Buffer;
  readonly proof: readonly Buffer[];
  /** The newest signed checkpoint: of `to`, unless another size was asked for. */
  readonly checkpoint: string;
}

@QueryHandler(LogConsistency)
export class LogConsistencyHandler implements IQueryHandler<LogConsistency> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input }: LogConsistency): Promise<ConsistencyProof> {
    return this.tenants.reading(caller, async (tx) => {
      const { epoch, size, note: checkpoint } = await getCheckpoint(tx, input);
      const { from, to = size } = input;
      // Roots of sizes that are not signed are nothing that anybody could rely on.
      if (to > size) throw outOfRange('/to', 'The log is not sealed as far as this.');
      if (from > to) throw outOfRange('/from', 'This is behind the size that the proof is to lead to.');
      const tiles = tilesOfEpoch(tx, epoch);
      const [oldRoot, newRoot] = [await rootFromTiles(tiles, from), await rootFromTiles(tiles, to)];
      const proof = await consistencyProof(tiles, from, to);
      return { epoch, from, to, oldRoot, newRoot, proof, checkpoint };
    });
  }
}

function outOfRange(pointer: string, message: string): InvalidInput {
  return new InvalidInput([{ pointer, code: 'out_of_range', message }]);
}
