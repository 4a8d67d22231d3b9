'use strict';

const Sequencer = require('@jest/test-sequencer').default;

/** What a file of a project costs, roughly: journeys through processes last minutes, unit tests milliseconds. */
const RANKS = { e2e: 0, int: 1, unit: 2 };

/**
 * Starts the projects with the longest files first, and within one what Jest takes for the longest.
 *
 * A clean clone remembers no durations, and the size of a file says little of a journey: one that began last would
 * keep one worker busy for minutes while the other has nothing left to do.
 */
class LongestFirst extends Sequencer {
  sort(tests) {
    const rankOf = ({ context }) => RANKS[context.config.displayName.name] ?? 0;
    // oxlint-disable-next-line unicorn/no-array-sort -- It is the sequencer's, and sorts no array in place.
    return super.sort(tests).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

module.exports = LongestFirst;
