import type { Caller } from '@holdfast/kernel';
import { Injectable } from '@nestjs/common';
import { Tallies } from './tallies';
import { trailRead } from './trail.events';

/** What was read of the trail. */
export interface Reading {
  /** The kind of reading, as `events`, `history` or `export`. */
  readonly what: string;
  /** The filters, of which those that are set are told by their names. */
  readonly filters?: Readonly<Record<string, unknown>>;
  /** Ids of what was looked at. */
  readonly of?: readonly string[];
}

/** Records who reads the trail, or the sealed log, as `audit.trail.read`: twice a minute at most for an actor and kind of reading. */
@Injectable()
export class Readings {
  constructor(private readonly tallies: Tallies) {}

  /**
   * To be called once there is an answer, before it goes out: the first reading of its kind is in the log when this returns.
   * Never throws; a reading that could not be recorded is counted, and answered.
   */
  record(caller: Caller, { what, filters = {}, of = [] }: Reading): Promise<void> {
    const by = Object.keys(filters).filter((name) => filters[name] !== undefined);
    return this.tallies.tell({ caller, type: trailRead, about: { what, by: by.toSorted() }, of });
  }
}
