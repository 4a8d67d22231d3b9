import type { QueueBackend } from '@holdfast/jobs';

/** Where the servers of a bench are. */
export interface BenchServers {
  readonly adminUrl: string;
  readonly appUrl: string;
  readonly authUrl: string;
  readonly relayUrl: string;
  /** BullMQ's queues; plain BullMQ is measured where it is Redis. */
  readonly backend: QueueBackend;
}

/** One movement of one account: what every contestant announces, in a form of its own. */
export interface Movement {
  /** The account's place among all of the bench. */
  readonly place: number;
  /** How often the account has moved. Counted under its row's lock, so this is the order that has to be kept. */
  readonly version: number;
}

/** The side of a contestant that writes. It runs in a thread of its own, as writers are processes of their own. */
export interface Publisher {
  /** Moves accounts of one tenant and announces each movement; says so when the commit is answered. */
  commit(
    tenantId: string,
    accountIds: readonly string[],
    committed: (movements: readonly Movement[]) => void,
  ): Promise<void>;
  close(): Promise<void>;
}

/** What the module of a publisher exports. */
export interface PublisherModule {
  readonly openPublisher: (servers: BenchServers, connectionsMax: number) => Promise<Publisher>;
}

/** Hears of movements, in the order in which the handler was called with them. */
export type Handler = (movements: readonly Movement[]) => void;

/** One way to deliver what was committed, set up as its documentation recommends where order per tenant is to be kept. */
export interface Contestant {
  readonly name: string;
  /** File of the module with `openPublisher`. */
  readonly publisher: string;
  /** Tables in which it leaves dead tuples: names with a schema, or whole schemas. */
  readonly tables: readonly string[];
  /** Creates what it needs anew, with nothing in it. */
  prepare(): Promise<void>;
  /** Begins to deliver to the handler. */
  start(handler: Handler): Promise<void>;
  /** Ends delivery, so that another can begin. */
  stop(): Promise<void>;
}

/** Connections that each side gets. */
export const CONNECTIONS = 8;
