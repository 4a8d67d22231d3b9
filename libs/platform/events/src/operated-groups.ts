import { createHash } from 'node:crypto';
import { type Database, SystemTx } from '@holdfast/database';
import { NotFound } from '@holdfast/kernel';
import {
  ActedOtherwise,
  NotReplayable,
  ReplaysFromBeginning,
  StoreHasNoTenants,
} from './operated-groups.errors';
import {
  type ActingOnGroup,
  findGroupAction,
  findReplayStart,
  type GroupActionView,
  type GroupView,
  listGroupActions,
  listGroups,
  lockGroup,
  pauseGroup,
  replayGroup,
  resumeGroup,
} from './operator-groups.sql';
import { listParkedKeys, type ParkedKeysAsked, type ParkedKeyView } from './quarantine.sql';

/** Where a replay begins: at the log's first event, behind a tick, or with what was committed after an instant. */
export type ReplayFrom = 'beginning' | { readonly tick: bigint } | { readonly at: Date };

/** Where a replay begins in fact: behind the newest tick that is kept at or before what was asked for. */
export interface ReplayStart {
  readonly tick: bigint;
  /** Null at the log's beginning. */
  readonly madeAt: Date | null;
}

const ACTIONS_MAX = 50;

/**
 * Consumer groups in the hands of operators, over the role `holdfast_ops`. What is done to a whole group is kept with who
 * and why. Every method that names a group throws NotFound where no worker has registered it.
 */
export class OperatedGroups {
  constructor(private readonly ops: Database) {}

  /** All groups by name, with their lag as the leader last measured it. */
  list(): Promise<GroupView[]> {
    return this.run((tx) => listGroups(tx));
  }

  /** One group. */
  get(group: string): Promise<GroupView> {
    return this.run((tx) => this.find(tx, group));
  }

  /** What was done to the group, the last 50 first. */
  async actions(group: string): Promise<GroupActionView[]> {
    return this.run(async (tx) => {
      await this.find(tx, group);
      return listGroupActions(tx, group, ACTIONS_MAX);
    });
  }

  /** Ends deliveries in all processes, each after the page under way. A group that is paused stays as it is. */
  async pause(group: string, acting: ActingOnGroup): Promise<GroupView> {
    return this.run(async (tx) => {
      const { acted, hash } = await this.acted(tx, group, ['pause'], acting);
      if (!acted) await pauseGroup(tx, group, acting, hash);
      return this.find(tx, group);
    });
  }

  /** Goes on where the group stood, within about a second. */
  async resume(group: string, acting: ActingOnGroup): Promise<GroupView> {
    return this.run(async (tx) => {
      const { acted, hash } = await this.acted(tx, group, ['resume'], acting);
      if (!acted) await resumeGroup(tx, group, acting, hash);
      return this.find(tx, group);
    });
  }

  /**
   * Takes the group back for all tenants, each before its next delivery; answers where to. Throws NotReplayable and
   * ReplaysFromBeginning where its declaration does not allow it.
   */
  async replay(group: string, from: ReplayFrom, acting: ActingOnGroup): Promise<ReplayStart> {
    return this.run(async (tx) => {
      const { acted, hash } = await this.acted(tx, group, ['replay', textOf(from)], acting);
      // A tick that a replay names is kept.
      if (acted) return findReplayStart(tx, { tick: acted.toTick ?? 0n });
      const start = await startOf(tx, await this.find(tx, group), from);
      await replayGroup(tx, group, start.tick, acting, hash);
      return start;
    });
  }

  /** Where a replay for one tenant would begin; throws as `replay` does, and StoreHasNoTenants. */
  async startFor(group: string, from: ReplayFrom): Promise<ReplayStart> {
    return this.run(async (tx) => {
      const found = await this.find(tx, group);
      if (found.kind === 'store') throw new StoreHasNoTenants(group);
      return startOf(tx, found, from);
    });
  }

  /** A page of parked keys, of all tenants and groups where none is named. */
  parkedKeys(asked: ParkedKeysAsked, limit: number): Promise<ParkedKeyView[]> {
    return this.run((tx) => listParkedKeys(tx, asked, limit));
  }

  /**
   * What the request did when it came before. Its key must not have been used for anything else; the group is locked, so
   * of two requests at once the second finds what the first did.
   */
  private async acted(
    tx: SystemTx,
    group: string,
    asked: readonly string[],
    { request, reason }: ActingOnGroup,
  ): Promise<{ readonly acted: Awaited<ReturnType<typeof findGroupAction>>; readonly hash: string }> {
    if (!(await lockGroup(tx, group))) throw new NotFound();
    const hash = createHash('sha256')
      .update(JSON.stringify([...asked, reason]))
      .digest('hex');
    const acted = request && (await findGroupAction(tx, group, request.key));
    if (acted && acted.hash !== hash) throw new ActedOtherwise();
    if (acted && request) request.replayed = true;
    return { acted, hash };
  }

  private async find(tx: SystemTx, group: string): Promise<GroupView> {
    const [found] = await listGroups(tx, group);
    if (!found) throw new NotFound();
    return found;
  }

  private run<T>(work: (tx: SystemTx) => Promise<T>): Promise<T> {
    return this.ops.transaction((connection) => new SystemTx(connection), work);
  }
}

async function startOf(tx: SystemTx, { group, replay }: GroupView, from: ReplayFrom): Promise<ReplayStart> {
  if (replay === 'never') throw new NotReplayable(group);
  if (from === 'beginning') return { tick: 0n, madeAt: null };
  if (replay === 'reset') throw new ReplaysFromBeginning(group);
  return findReplayStart(tx, from);
}

function textOf(from: ReplayFrom): string {
  if (from === 'beginning') return from;
  return 'tick' in from ? `tick ${from.tick}` : `at ${from.at.toISOString()}`;
}
