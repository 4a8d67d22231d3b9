'use strict';

const { followAliases } = require('./aliases');
const { withNativeDependencies } = require('./transform');

followAliases();

/** Hands Jest the named export of the test kit: house style has no default exports. */
module.exports = (...configs) =>
  withNativeDependencies(() =>
    require('../../libs/platform/testing/src/global-setup').globalSetup(...configs),
  );
