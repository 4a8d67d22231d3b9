import { collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

/** What a metric is called and says. Names begin with `holdfast_` and end in their unit: `_seconds`, `_bytes`, `_total`. */
export interface MetricNotes<Label extends string> {
  readonly name: `holdfast_${string}`;
  readonly help: string;
  readonly labels?: readonly Label[];
}

/** Upper bounds in seconds from half a millisecond (a pipelined read) to 10 s (the longest deadline), about 2 to 2.5 apart. */
const LATENCY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Something that is only counted up. Declared once, at the top of the file that counts; `collect` sets it from another count. */
export function counter<Label extends string = never>(
  notes: MetricNotes<Label> & { readonly collect?: (this: Counter<Label>) => void },
): Counter<Label> {
  const { collect, ...rest } = notes;
  const options = { ...rest, labelNames: [...(notes.labels ?? [])] };
  return declared(notes.name, () => new Counter(collect ? { ...options, collect } : options));
}

/** Something that is read off when Prometheus asks: `collect` sets it, or the code that knows does. */
export function gauge<Label extends string = never>(
  notes: MetricNotes<Label> & { readonly collect?: (this: Gauge<Label>) => void },
): Gauge<Label> {
  const { collect, ...rest } = notes;
  const options = { ...rest, labelNames: [...(notes.labels ?? [])] };
  return declared(notes.name, () => new Gauge(collect ? { ...options, collect } : options));
}

/** How long things take, in seconds; or another quantity, with buckets of its own. */
export function histogram<Label extends string = never>(
  notes: MetricNotes<Label> & { readonly buckets?: readonly number[] },
): Histogram<Label> {
  const buckets = [...(notes.buckets ?? LATENCY_SECONDS)];
  return declared(
    notes.name,
    () => new Histogram({ ...notes, labelNames: [...(notes.labels ?? [])], buckets }),
  );
}

/** Adds Node's own metrics (memory, event-loop delay, garbage collection); once per process, however often it is called. */
export function collectProcessMetrics(): void {
  if (!register.getSingleMetric('process_cpu_user_seconds_total')) collectDefaultMetrics({ register });
}

/** Everything in the text format of Prometheus, with its content type. */
export async function metricsText(): Promise<{ readonly contentType: string; readonly text: string }> {
  return { contentType: register.contentType, text: await register.metrics() };
}

/** Two copies of one file in a process (dist beside sources) share the metric instead of failing at the second. */
function declared<Metric>(name: string, declare: () => Metric): Metric {
  return (register.getSingleMetric(name) as Metric | undefined) ?? declare();
}
