export { Health, type CheckResult, type HealthCheck, type HealthReport } from './health';
export { answerHealth, type HealthAnswer, type HealthPath, healthPaths } from './health-endpoints';
export { createLogger, type LogFields, type Logger, loggerFor, type LoggerOptions } from './logger';
export { counter, gauge, histogram, metricsText, type MetricNotes } from './metrics';
export { type MetricsServer, startMetricsServer } from './metrics-server';
export { NestLogger } from './nest-logger';
export { scrub } from './scrub';
export { inSpan } from './span';
export { continueTrace, readTraceparent, type TraceContext, writeTraceparent } from './traceparent';
