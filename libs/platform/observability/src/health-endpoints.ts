import type { Health, HealthReport } from './health';

/** Where health is asked for. */
export const healthPaths = ['/livez', '/readyz', '/startupz'] as const;

/** One of the paths of health. */
export type HealthPath = (typeof healthPaths)[number];

/** The answer of a health endpoint, for whatever server carries it: 200, or 503 while work has to go elsewhere. */
export interface HealthAnswer {
  readonly status: 200 | 503;
  /** The report: with `verbose` each check by name, its duration and, of a failed one, the error's name; and what is shown beside. */
  readonly body: Pick<HealthReport, 'status'> & Partial<HealthReport>;
}

/** Answers a health endpoint. */
export async function answerHealth(
  health: Health,
  path: HealthPath,
  verbose: boolean,
): Promise<HealthAnswer> {
  const { shown, ...report } = await reports[path](health);
  const body = verbose ? { ...report, ...shown } : { status: report.status };
  return { status: report.status === 'ok' ? 200 : 503, body };
}

const reports: Record<HealthPath, (health: Health) => HealthReport | Promise<HealthReport>> = {
  '/livez': (health) => health.live(),
  '/readyz': (health) => health.ready(),
  '/startupz': (health) => health.startup(),
};
