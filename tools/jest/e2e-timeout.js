'use strict';

// Processes start, are killed and start again; each start takes some seconds on a small machine.
jest.setTimeout(180_000);
