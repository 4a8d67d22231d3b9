'use strict';

const { writeFileSync } = require('node:fs');

/**
 * Ends a run with one line, `N passed, N failed` (and `, N skipped`), over all projects.
 *
 * A spec file that cannot be loaded has no tests to count, so it counts as one failure: otherwise a run could lose
 * a whole file and print 0 failed. With HOLDFAST_TEST_COUNTS set the line also goes to that file, for `.ci/run`.
 */
class CountsReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`;
    // Jest prints its own summary after the last reporter; whoever reads the last line wants this one.
    process.once('exit', () => console.log(line));
    if (process.env.HOLDFAST_TEST_COUNTS) writeFileSync(process.env.HOLDFAST_TEST_COUNTS, `${line}\n`);
  }
}

module.exports = CountsReporter;
