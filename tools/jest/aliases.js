'use strict';

const Module = require('node:module');
const path = require('node:path');

const root = path.resolve(__dirname, '../..');
const paths = new Map(Object.entries(require('../../tsconfig.base.json').compilerOptions.paths));

/** Lets `require` follow the aliases of tsconfig in this process: Jest maps them in specs but not in global setup. */
function followAliases() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function resolveAlias(request, ...rest) {
    const [file] = paths.get(request) ?? [];
    return resolve.call(this, file ? path.join(root, file) : request, ...rest);
  };
}

module.exports = { followAliases };
