'use strict';

// A project's testTimeout has no effect in Jest 30. Real servers answer in milliseconds; a busy machine takes seconds.
jest.setTimeout(30_000);
