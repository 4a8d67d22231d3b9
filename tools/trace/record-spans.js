'use strict';

/**
 * Preloaded with `node --require`, as an OpenTelemetry SDK would be: writes each span that ends as a line of JSON to the file
 * HOLDFAST_TRACE_FILE. It stands in for an SDK and a collector where one process and one picture are all that is wanted.
 */
const { AsyncLocalStorage } = require('node:async_hooks');
const { randomBytes } = require('node:crypto');
const { appendFileSync } = require('node:fs');
const { context, propagation, ROOT_CONTEXT, trace } = require('@opentelemetry/api');

const file = process.env.HOLDFAST_TRACE_FILE;
const storage = new AsyncLocalStorage();
const toMs = (time) => (time instanceof Date ? time.getTime() : time);
const nowMs = () => performance.timeOrigin + performance.now();

class RecordedSpan {
  constructor(name, { attributes = {}, links = [], startTime }, parent) {
    this.name = name;
    this.attributes = { ...attributes };
    this.links = links.map((link) => link.context);
    this.startMs = toMs(startTime) ?? nowMs();
    this.parentId = parent?.spanId;
    this.ids = {
      traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
      spanId: randomBytes(8).toString('hex'),
      traceFlags: 1,
    };
  }

  spanContext() {
    return this.ids;
  }

  isRecording() {
    return true;
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
    return this;
  }

  setAttributes(more) {
    Object.assign(this.attributes, more);
    return this;
  }

  setStatus({ code }) {
    this.status = code;
    return this;
  }

  end(time) {
    const { name, attributes, links, startMs, parentId, ids, status } = this;
    const line = { name, ...ids, parentId, startMs, endMs: toMs(time) ?? nowMs(), status, attributes, links };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  }
}

const tracer = {
  startSpan: (name, options = {}, parent = context.active()) =>
    new RecordedSpan(name, options, trace.getSpanContext(parent)),
  startActiveSpan(name, options, parent, work) {
    const span = this.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), () => work(span));
  },
};

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

if (file) {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...values) => storage.run(active, () => work.apply(self, values)),
    bind: (active, target) =>
      typeof target === 'function' ? (...values) => storage.run(active, () => target(...values)) : target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject() {},
    extract(active, carrier) {
      const [, traceId, spanId] = TRACEPARENT.exec(carrier.traceparent) ?? [];
      return traceId
        ? trace.setSpanContext(active, { traceId, spanId, traceFlags: 1, isRemote: true })
        : active;
    },
  });
}
