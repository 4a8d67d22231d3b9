'use strict';

const { withNativeDependencies } = require('./transform');

module.exports = (...configs) =>
  withNativeDependencies(() =>
    require('../../libs/platform/testing/src/global-teardown').globalTeardown(...configs),
  );
