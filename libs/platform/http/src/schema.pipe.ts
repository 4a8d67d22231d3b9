import { InvalidInput, type InputFault } from '@holdfast/kernel';
import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import type { z } from 'zod';

type Issue = Parameters<
  NonNullable<NonNullable<ConstructorParameters<typeof StandardSchemaValidationPipe>[0]>['exceptionFactory']>
>[0][number];

/** A request shows at most this many of its faults. */
const FAULTS_MAX = 50;

/**
 * Validates by the one zod schema of an input: REST parameters by their `schema` option, GraphQL arguments by that of
 * their dto class. Faults name the place and what is wanted there, never the value.
 */
@Injectable()
export class SchemaPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => new InvalidInput(faultsOf(issues)) });
  }

  /**
   * Nest's pipe would drop keys such as `constructor` in silence, and a client's metadata with them. No prototype can be
   * reached: bodies with `__proto__` have been refused, and schemas make objects of their own.
   */
  protected override stripProtoKeys(): void {}

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const schema = metadata.schema ?? (metadata.metatype as { schema?: z.ZodType } | undefined)?.schema;
    if (!schema) return value;
    // An absent body is an empty one, so that its missing fields are named; GraphQL's objects have no prototype.
    const given = metadata.type === 'body' ? (value ?? {}) : value;
    const plain =
      metadata.type === 'custom' || given === null || typeof given !== 'object' || Array.isArray(given)
        ? given
        : { ...given };
    if (metadata.type !== 'body') refuseUnstorable(plain);
    try {
      return await super.transform(plain as T, { ...metadata, schema } as ArgumentMetadata);
    } catch (error) {
      throw metadata.type === 'param' && metadata.data && error instanceof InvalidInput
        ? error.under(metadata.data)
        : error;
    }
  }
}

/** Refuses texts that PostgreSQL cannot store, of a query string or a GraphQL literal: bodies have been read strictly. */
function refuseUnstorable(value: unknown): void {
  const pointer = unstorableAt(value);
  if (pointer === undefined) return;
  throw new InvalidInput([
    { pointer, code: 'invalid_text', message: 'The text holds NUL or half a character.' },
  ]);
}

/** Where such a text is. A value may have half a million parts, so no pointer is made but that of a fault. */
function unstorableAt(value: unknown): string | undefined {
  if (typeof value === 'string') return value.includes('\u0000') || !value.isWellFormed() ? '' : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  for (const key of Object.keys(value)) {
    const inner = unstorableAt((value as Readonly<Record<string, unknown>>)[key]);
    if (inner !== undefined) return pointerOf([key]) + inner;
  }
  return undefined;
}

/** The faults that a schema has found, as JSON Pointers with stable codes. */
export function faultsOf(issues: readonly Issue[]): InputFault[] {
  return issues.flatMap(faultsOfIssue).slice(0, FAULTS_MAX);
}

function faultsOfIssue(issue: Issue): InputFault[] {
  const path = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment));
  const { code = 'invalid', keys } = issue as { code?: string; keys?: readonly string[] };
  // Zod reports unknown fields together at their parent; each is a fault of its own.
  if (code === 'unrecognized_keys' && keys) {
    return keys.map((key) => ({
      pointer: pointerOf([...path, key]),
      code: 'unknown_field',
      message: 'There is no such field.',
    }));
  }
  return [{ pointer: pointerOf(path), code, message: issue.message }];
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
