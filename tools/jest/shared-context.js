'use strict';

const vm = require('node:vm');
const { ModernFakeTimers } = require('@jest/fake-timers');
const { TestEnvironment } = require('jest-environment-node');
const { ModuleMocker } = require('jest-mock');

const contexts = new WeakSet();
const { compileFunction } = vm;

// Jest compiles every module into the context of its environment, and has no option to leave it where it is.
vm.compileFunction = (code, parameters, options) => {
  const { parsingContext, ...others } = options ?? {};
  return compileFunction(code, parameters, contexts.has(parsingContext) ? others : options);
};

/**
 * Runs spec files in the context of their worker instead of a new one for each, so that dependencies are loaded once.
 *
 * Loading Nest and its like anew took a third of the time of a spec with a database. A context keeps little apart anyway: what a
 * spec leaves in `globalThis` is put back behind it, and modules of ours are still loaded for each file. As in production there
 * is one `Error` and one `Array`, which contexts of Jest have twice.
 */
class SharedContext extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    contexts.add(this.context);
    this.global = globalThis;
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimersModern = new ModernFakeTimers({ config: config.projectConfig, global: globalThis });
    // What transform.js writes in place of a dependency.
    globalThis.requireOnce = require;
    this.globals = Object.getOwnPropertyDescriptors(globalThis);
  }

  async teardown() {
    await super.teardown();
    const left = Object.entries(Object.getOwnPropertyDescriptors(globalThis));
    for (const [name, { configurable }] of left)
      if (configurable && !Object.hasOwn(this.globals, name)) delete globalThis[name];
    const before = Object.entries(this.globals).filter(([, { configurable }]) => configurable);
    Object.defineProperties(globalThis, Object.fromEntries(before));
  }
}

module.exports = SharedContext;
