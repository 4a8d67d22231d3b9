import type { z } from 'zod';
import { type PersonalField, personalFieldsOf } from './personal';

/** One published version of an event type: the shape of its payload, for good. */
export interface EventVersion<S extends z.ZodType = z.ZodType> {
  readonly version: number;
  readonly schema: S;
  /** A payload of this version, for whoever reads about the type. A test holds it to the schema. */
  readonly example: z.output<S>;
}

/** A version that events of the log may still have, though none is announced in it any more. */
export interface EarlierVersion<S extends z.ZodType = z.ZodType> extends EventVersion<S> {
  /** Makes a payload of the next version from one of this. Pure: it runs wherever and whenever the event is read. */
  readonly upcast: (payload: z.output<S>) => unknown;
}

/** A kind of event that a module announces: its name on the wire and every version of it that was ever published. */
export interface EventType<S extends z.ZodType = z.ZodType> {
  readonly type: string;
  /** The type up to its last dot. */
  readonly streamType: string;
  readonly description: string;
  /** The version in which it is announced. */
  readonly schemaVersion: number;
  readonly schema: S;
  /** What of the payload names a person, and is in the log as a commitment. */
  readonly personal: readonly PersonalField[];
  /** All of them, 1 first. */
  readonly versions: readonly EventVersion[];
}

/** How a module declares an event type. */
export interface EventTypeDeclaration<S extends z.ZodType> extends EventVersion<S> {
  /** What has happened, for those who read events: sentences. */
  readonly description: string;
  /** Versions 1 to `version - 1`, in this order. Each leads to the next; none is ever dropped, since the log is kept. */
  readonly earlier?: readonly EarlierVersion[];
}

/** `<module>.<aggregate>.<what happened>`, in lower case, words joined by underscores. */
const NAME = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*){2}$/;
/** Participles that do not end in -ed, as far as they are likely to happen to anything here. */
const IRREGULAR = new Set(
  'begun bought broken built cut drawn fallen found given gone held kept left lost made met paid put read run sent set sold spent split taken won withdrawn written'.split(
    ' ',
  ),
);

interface Upcasting {
  readonly latest: number;
  /** By the version that they read. */
  readonly steps: ReadonlyMap<number, (payload: never) => unknown>;
}

const declared = new Map<string, EventType>();
const upcasting = new Map<string, Upcasting>();

/**
 * Declares an event type, once, in a module's `*.events.ts`: `ledger.transfer.posted` on streams `ledger.transfer`. Its
 * last part says what has happened, in the past tense. Payloads hold ids and no floats; what names a person is `personal`.
 *
 * Everything declared is served at `GET /v1/events/types` and recorded in libs/modules/delivery/event-types.json. What is
 * recorded stays: a payload changes its shape by another version, with the one before it among `earlier`. Throws when
 * the name is taken or is no name, or a version is missing.
 */
export function eventType<S extends z.ZodType>(
  type: string,
  declaration: EventTypeDeclaration<S>,
): EventType<S> {
  const { version, schema, example, description, earlier = [] } = declaration;
  if (declared.has(type)) throw new Error(`two event types are called ${type}`);
  requireName(type);
  const versions = [...earlier, { version, schema, example }];
  if (versions.some((each, index) => each.version !== index + 1))
    throw new Error(`${type} ${version} does not say how each of its earlier versions becomes the next`);
  const streamType = type.slice(0, type.lastIndexOf('.'));
  const personal = personalFieldsOf(schema);
  const declaredType = { type, streamType, description, schemaVersion: version, schema, personal, versions };
  declared.set(type, declaredType);
  const steps = new Map(earlier.map((each) => [each.version, each.upcast]));
  upcasting.set(type, { latest: version, steps });
  return declaredType;
}

/** An earlier version among an event type's `earlier`. A function only so that `upcast` is typed by the schema. */
export function earlierVersion<S extends z.ZodType>(earlier: EarlierVersion<S>): EarlierVersion {
  return earlier;
}

/** Every event type that this process knows, in the order of their names. */
export function listEventTypes(): readonly EventType[] {
  return [...declared.values()].toSorted((one, other) => (one.type < other.type ? -1 : 1));
}

/** The event type of the name, if this process knows it. */
export function findEventType(type: string): EventType | undefined {
  return declared.get(type);
}

/** The latest version of the type that this process knows; undefined for a type that it does not know. */
export function latestVersionOf(type: string): number | undefined {
  return upcasting.get(type)?.latest;
}

/** A payload in the latest version of its type, made from one in `version` step by step. */
export function upcastPayload(type: string, version: number, payload: unknown): unknown {
  const { latest = version, steps } = upcasting.get(type) ?? {};
  let upcast = payload;
  for (let from = version; from < latest; from += 1) {
    const step = steps?.get(from);
    if (!step) throw new Error(`${type} has no version ${from}`);
    upcast = step(upcast as never);
  }
  return upcast;
}

function requireName(type: string): void {
  if (!NAME.test(type)) throw new Error(`${type} is not of the form module.aggregate.what_happened`);
  const happened = type.slice(type.lastIndexOf('.') + 1).split('_');
  if (!happened.some((word) => word.endsWith('ed') || IRREGULAR.has(word)))
    throw new Error(`${type} does not say in the past tense what has happened`);
}
