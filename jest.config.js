'use strict';

const { compilerOptions } = require('./tsconfig.base.json');

/** The aliases of tsconfig, so that there is one list of them: '@holdfast/kernel' -> libs/kernel/src/index.ts. */
const aliases = Object.fromEntries(
  Object.entries(compilerOptions.paths).map(([alias, [file]]) => [
    `^${alias}$`,
    file.replace('./', '<rootDir>/'),
  ]),
);

const shared = {
  rootDir: __dirname,
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/tools'],
  testEnvironment: '<rootDir>/tools/jest/shared-context.js',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  moduleNameMapper: aliases,
  transform: { '\\.(ts|js|mjs|cjs)$': '<rootDir>/tools/jest/transform.js' },
  // Nothing is exempt: Nest 12 and much around it is published as ES modules only, and Jest runs CommonJS.
  transformIgnorePatterns: [],
};

/** Specs that need servers share one PostgreSQL (and Redis, ClickHouse), started before the first and stopped after. */
const withServers = {
  globalSetup: '<rootDir>/tools/jest/global-setup.js',
  globalTeardown: '<rootDir>/tools/jest/global-teardown.js',
};

module.exports = {
  maxWorkers: 2,
  testSequencer: '<rootDir>/tools/jest/longest-first.js',
  // Compiled copies of Nest add up over many spec files in one worker; beyond this it is replaced.
  workerIdleMemoryLimit: '1GB',
  coverageProvider: 'v8',
  collectCoverageFrom: ['{apps,libs}/**/*.ts', '!**/*.spec.ts', '!**/*.bench.ts'],
  reporters: ['default', '<rootDir>/tools/jest/counts-reporter.js'],
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['**/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.(int|e2e)\\.spec\\.ts$'],
    },
    {
      ...shared,
      ...withServers,
      displayName: 'int',
      testMatch: ['**/*.int.spec.ts'],
      setupFilesAfterEnv: ['<rootDir>/tools/jest/int-timeout.js'],
    },
    {
      ...shared,
      ...withServers,
      displayName: 'e2e',
      testMatch: ['**/*.e2e.spec.ts'],
      setupFilesAfterEnv: ['<rootDir>/tools/jest/e2e-timeout.js'],
    },
  ],
};
