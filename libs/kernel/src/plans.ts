/** What a plan can include beyond the core. */
export type Feature = 'custom_roles' | 'single_sign_on';

/** How much a tenant may have and do. Rates and concurrency are per pod where there is no Redis to share the count. */
export interface Quotas {
  /** Requests a second that a tenant may go on sending, and how many at once after a pause. */
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  /** Requests of one tenant that are worked on at the same time in one process. */
  readonly concurrentRequests: number;
  readonly members: number;
  readonly apiKeys: number;
  readonly customRoles: number;
  readonly issuers: number;
  readonly exportsPerDay: number;
  readonly webhooks: number;
  /** Deliveries to a tenant's webhooks that are under way at a time; each webhook may have one in any case. */
  readonly concurrentDeliveries: number;
  readonly writeKeys: number;
  /** Telemetry events a second that a tenant may go on sending to one process of ingest, and how many at once after a pause. */
  readonly eventsPerSecond: number;
  readonly eventsBurst: number;
}

/** A plan: the features it includes and its quotas. */
export interface Plan {
  readonly features: readonly Feature[];
  readonly quotas: Quotas;
  /** How many days telemetry events are kept from when they were received. An event that is older than that is not taken. */
  readonly telemetryKeepDays: number;
}

/** The plans that a tenant may be on. The operator chooses; the name travels in every signed grant. */
export const PLANS = {
  free: {
    features: [],
    quotas: {
      requestsPerSecond: 20,
      // Two seconds' worth: what comes all at once is what a tenant's neighbours feel.
      requestsBurst: 40,
      concurrentRequests: 4,
      members: 5,
      apiKeys: 5,
      customRoles: 0,
      issuers: 0,
      exportsPerDay: 1,
      webhooks: 2,
      concurrentDeliveries: 4,
      writeKeys: 5,
      // Ten seconds' worth: SDKs send what a device has collected while it was offline all at once.
      eventsPerSecond: 1_000,
      eventsBurst: 10_000,
    },
    telemetryKeepDays: 30,
  },
  standard: {
    features: ['custom_roles', 'single_sign_on'],
    quotas: {
      requestsPerSecond: 500,
      requestsBurst: 2_000,
      concurrentRequests: 64,
      members: 200,
      apiKeys: 100,
      customRoles: 20,
      issuers: 5,
      exportsPerDay: 10,
      webhooks: 20,
      concurrentDeliveries: 32,
      writeKeys: 50,
      eventsPerSecond: 20_000,
      eventsBurst: 200_000,
    },
    // Thirteen months: a month and the same one of the year before.
    telemetryKeepDays: 395,
  },
  enterprise: {
    features: ['custom_roles', 'single_sign_on'],
    quotas: {
      requestsPerSecond: 10_000,
      requestsBurst: 40_000,
      concurrentRequests: 256,
      members: 100_000,
      apiKeys: 1_000,
      customRoles: 100,
      issuers: 200,
      exportsPerDay: 100,
      webhooks: 200,
      concurrentDeliveries: 128,
      writeKeys: 1_000,
      eventsPerSecond: 200_000,
      eventsBurst: 2_000_000,
    },
    telemetryKeepDays: 1_095,
  },
} as const satisfies Readonly<Record<string, Plan>>;

/** The name of a plan. */
export type PlanName = keyof typeof PLANS;

/** The names of all plans. */
export const PLAN_NAMES = Object.keys(PLANS) as readonly PlanName[];

/** The plan of a name that a grant carries. One that this process does not know yet counts as standard. */
export function planOf(name: string): Plan {
  return (PLANS as Readonly<Record<string, Plan>>)[name] ?? PLANS.standard;
}
