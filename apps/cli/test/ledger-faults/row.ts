import type { Random } from '@holdfast/testing';
import type { Scene } from './scene';

/** A row of the list of faults. `strike` does it under load, undoes what does not end by itself, and proves that it landed. */
export interface Row {
  /** Its number in the list. */
  readonly row: number;
  readonly name: string;
  /** Played in long runs alone: another suite has the like in each run. */
  readonly isLongOnly?: true;
  /** Answers what landed, for the reader of the run. */
  strike(scene: Scene, random: Random): Promise<string>;
}
