import type { Command } from 'commander';
import { addEpoch } from './events-epoch';
import { addTail } from './events-tail';
import { addGroups } from './events-groups';

/** `holdfast events …` */
export function addEvents(program: Command): void {
  const events = program.command('events').description('Look after the delivery of events.');
  addGroups(events);
  addEpoch(events);
  addTail(events);
}
