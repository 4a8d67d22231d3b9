import { gauge } from './metrics';

/** A question that a process asks of something it needs: resolves when all is well, rejects otherwise. */
export type HealthCheck = (signal: AbortSignal) => Promise<unknown>;

/** A check as it is kept; one that is not `vital` is shown and does not decide. */
interface Check {
  readonly run: HealthCheck;
  readonly timeoutMs: number;
  readonly vital: boolean;
}

/** What one check found. `reason` is the name of an error and never its message: health is readable without a key. */
export interface CheckResult {
  readonly name: string;
  readonly status: 'ok' | 'failed';
  readonly durationMs: number;
  readonly reason?: string;
}

/** What a health endpoint answers. */
export interface HealthReport {
  readonly status: 'ok' | 'starting' | 'draining' | 'failed';
  readonly checks: readonly CheckResult[];
  /** What is shown beside them, by name. */
  readonly shown?: Readonly<Record<string, unknown>>;
}

/** Longer than a database under load takes to answer `select 1`, shorter than the 3 s that the probes in deploy/ allow. */
const CHECK_TIMEOUT_MS = 2_000;
/** Probes and balancers ask often, and each asks every pod; within this time they share one answer. */
const REPORT_KEPT_MS = 500;

const checkOk = gauge({
  name: 'holdfast_health_check_ok',
  help: 'Whether the last run of a readiness check succeeded (1) or failed (0).',
  labels: ['check'],
});

/**
 * Whether a process is alive, has started, and is ready for work.
 *
 * Liveness asks nothing of the outside, so that a database that is away never gets pods killed. Readiness runs every
 * named check, each within its timeout; from `drain` on it fails, while the process finishes what it has.
 */
export class Health {
  private readonly checks = new Map<string, Check>();
  private readonly shown = new Map<string, () => unknown>();
  private phase: 'starting' | 'running' | 'draining' = 'starting';
  private recent: { readonly atMs: number; readonly report: Promise<HealthReport> } | undefined;

  /** Adds a readiness check under a name that is not taken. It is aborted, and counts as failed, after `timeoutMs`. */
  check(name: string, run: HealthCheck, timeoutMs: number = CHECK_TIMEOUT_MS): void {
    if (this.checks.has(name)) throw new Error(`two health checks are called ${name}`);
    this.checks.set(name, { run, timeoutMs, vital: true });
  }

  /** Adds something that is shown beside the checks and that readiness does not hang on: what fails without it is a part. */
  watch(name: string, run: HealthCheck, timeoutMs: number = CHECK_TIMEOUT_MS): void {
    this.check(name, run, timeoutMs);
    this.checks.set(name, { run, timeoutMs, vital: false });
  }

  /** Adds what `/readyz?verbose` says under the name beside the checks. It decides nothing. */
  show(name: string, read: () => unknown): void {
    this.shown.set(name, read);
  }

  /** The process can take work. */
  started(): void {
    this.phase = 'running';
  }

  /** The process will stop: readiness fails from here on, so that balancers send no more. */
  drain(): void {
    this.phase = 'draining';
  }

  /** Whether `drain` was called. */
  get draining(): boolean {
    return this.phase === 'draining';
  }

  /** Ok as long as the event loop turns, which answering proves. */
  live(): HealthReport {
    return { status: 'ok', checks: [] };
  }

  /** Ok once `started` was called. */
  startup(): HealthReport {
    return { status: this.phase === 'starting' ? 'starting' : 'ok', checks: [] };
  }

  /** Ok when the process has started, does not drain, and every check succeeds. */
  async ready(): Promise<HealthReport> {
    if (this.phase !== 'running') return { status: this.phase, checks: [] };
    if (!this.recent || Date.now() - this.recent.atMs > REPORT_KEPT_MS) {
      this.recent = { atMs: Date.now(), report: this.runChecks() };
    }
    const report = await this.recent.report;
    // The process may have begun to drain while the checks ran.
    return this.phase === 'running' ? report : { ...report, status: this.phase };
  }

  private async runChecks(): Promise<HealthReport> {
    const checks = await Promise.all(
      [...this.checks].map(([name, { run, timeoutMs }]) => runCheck(name, run, timeoutMs)),
    );
    const failed = checks.filter(({ name, status }) => status === 'failed' && this.checks.get(name)?.vital);
    for (const { name, status } of checks) checkOk.set({ check: name }, status === 'ok' ? 1 : 0);
    const shown = Object.fromEntries([...this.shown].map(([name, read]) => [name, read()]));
    return { status: failed.length === 0 ? 'ok' : 'failed', checks, shown };
  }
}

async function runCheck(name: string, run: HealthCheck, timeoutMs: number): Promise<CheckResult> {
  const startedAtMs = performance.now();
  const signal = AbortSignal.timeout(timeoutMs);
  // A check that ignores its signal does not hold up the answer.
  const tooLate = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  try {
    await Promise.race([run(signal), tooLate]);
    return { name, status: 'ok', durationMs: elapsedMs(startedAtMs) };
  } catch (error) {
    const reason = error instanceof Error ? error.name : signal.aborted ? 'TimeoutError' : 'failed';
    return { name, status: 'failed', durationMs: elapsedMs(startedAtMs), reason };
  }
}

function elapsedMs(startedAtMs: number): number {
  return Math.round(performance.now() - startedAtMs);
}
