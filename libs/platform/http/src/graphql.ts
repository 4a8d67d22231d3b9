import { DomainError } from '@holdfast/kernel';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import { type DynamicModule, type INestApplication } from '@nestjs/common';
import { GraphQLModule, GraphQLSchemaHost } from '@nestjs/graphql';
import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  GraphQLError,
  type GraphQLFormattedError,
  printSchema,
  type ValidationContext,
  type ASTVisitor,
} from 'graphql';
import { documentCost } from './graphql-cost';
import { MalformedBody } from './json-body';
import { describePermissions } from './permission';
import { type Refusal, refusalOf } from './problem';
import { noteRefusal } from './request';
import { isUpgrade, subscriptionOptions } from './subscriptions';

/** Deep enough for a connection's node within a connection's node, and for every introspection query in use. */
const DEPTH_MAX = 12;
/** Introspection takes about 400 tokens; a page of every field of every list about 600. */
const TOKENS_MAX = 2_000;
/** Of those tokens a hundred characters each. Long values belong into variables, which are not parsed as GraphQL. */
const CHARACTERS_MAX = 200_000;
const ALIASES_MAX = 30;
const DIRECTIVES_MAX = 20;

/** GraphQL at /graphql: the resolvers' code is the schema, queries are compiled, and each has limits before it runs. */
export function graphqlModule(options: { readonly graphiql: boolean }): DynamicModule {
  const { subscription, hooks } = subscriptionOptions([limitRepetition]);
  return GraphQLModule.forRoot<MercuriusDriverConfig>({
    driver: MercuriusDriver,
    autoSchemaFile: true,
    sortSchema: true,
    transformSchema: describePermissions,
    path: '/graphql',
    graphiql: options.graphiql,
    jit: 1,
    queryDepth: DEPTH_MAX,
    graphql: { parseOptions: { maxTokens: TOKENS_MAX }, validateOptions: { maxErrors: 10 } },
    validationRules: [limitRepetition],
    subscription,
    hooks: {
      ...hooks,
      preExecution: async (schema, document, { reply }, variables) => {
        reply.request.cost = documentCost(schema, document, variables ?? {});
      },
    },
    context: (_request, reply: FastifyReply) => ({ reply }),
    errorFormatter: ({ data, errors }, { reply }) => {
      const all = errors.flatMap(unwrapped);
      // A request that was never executed has no data: that is the client's fault, and HTTP says so.
      const statusCode = data === undefined || data === null ? statusOf(all) : 200;
      const waits = all.map((error) => refusalFrom(error).retryAfterSeconds ?? 0);
      if (statusCode !== 200 && waits.some(Boolean)) reply?.header('retry-after', Math.max(...waits));
      return {
        statusCode,
        response: { data: data ?? null, errors: all.map((error) => formatted(error, reply)) },
      };
    },
  });
}

/**
 * Refuses what mercurius answers with an error of its own making: anything but POST (a GET could be cached or prefetched,
 * and shows its query to every log on the way), and a document that is no text or no GraphQL.
 */
export function guardGraphql(fastify: FastifyInstance): void {
  fastify.addHook('preValidation', async (request) => {
    if (request.routeOptions.url !== '/graphql' || isUpgrade(request)) return;
    if (request.method !== 'POST') throw Object.assign(new Error('not a POST'), { statusCode: 405 });
    const { query } = (request.body ?? {}) as { readonly query?: unknown };
    // Mercurius would take a document that is already parsed, whose size nothing limits.
    if (typeof query !== 'string' || isJson(query))
      throw new MalformedBody('Send the document as text in the field `query`.', '/query');
    if (query.length > CHARACTERS_MAX)
      throw new MalformedBody('The document is too long. Send long values as variables.', '/query');
  });
}

/** GraphQL never is JSON: the first brace of a selection is followed by a name. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Serves the schema as text at /schema.graphql. */
export function serveGraphqlSchema(app: INestApplication): void {
  const fastify = app.getHttpAdapter().getInstance() as FastifyInstance;
  fastify.get('/schema.graphql', (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send(`${printSchema(app.get(GraphQLSchemaHost).schema)}\n`),
  );
}

/** Refuses documents that repeat work by aliases or directives beyond what any client of ours needs. */
function limitRepetition(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  let directives = 0;
  return {
    Field: (node) => {
      if (node.alias && ++aliases === ALIASES_MAX + 1)
        context.reportError(new GraphQLError(`More than ${ALIASES_MAX} aliases.`));
    },
    Directive: () => {
      if (++directives === DIRECTIVES_MAX + 1)
        context.reportError(new GraphQLError(`More than ${DIRECTIVES_MAX} directives.`));
    },
  };
}

function formatted(error: GraphQLError, reply: FastifyReply | undefined): GraphQLFormattedError {
  const refusal = refusalFrom(error);
  if (reply) noteRefusal(reply.request, refusal);
  if (refusal.status >= 500)
    reply?.request.log.error(
      { err: error.originalError ?? error, code: refusal.code },
      'GraphQL field failed',
    );
  const { locations, path } = error.toJSON();
  return {
    message: refusal.detail,
    ...(locations && { locations }),
    ...(path && { path }),
    extensions: {
      code: refusal.code,
      requestId: reply?.request.id,
      ...(refusal.errors && { errors: refusal.errors }),
    },
  };
}

/** Mercurius wraps what is wrong with a document in one error; each fault is shown by itself. */
function unwrapped(error: GraphQLError): GraphQLError[] {
  const { originalError } = error;
  if (!originalError || !('errors' in originalError) || originalError instanceof DomainError) return [error];
  const faults = originalError.errors as readonly Error[];
  return faults.map((fault) =>
    fault instanceof GraphQLError ? fault : new GraphQLError(fault.message, { originalError: fault }),
  );
}

/** What the resolver refused with, or that the document itself is wrong: messages about it quote only the query. */
function refusalFrom(error: GraphQLError): Refusal {
  const cause = error.originalError;
  const variable = VARIABLE.exec(error.message)?.[0];
  if (variable !== undefined && error.path === undefined)
    return { status: 400, code: 'graphql.invalid', detail: variableFault(variable, error, cause?.message) };
  if (!cause || isMercuriusError(cause))
    return { status: 400, code: 'graphql.invalid', detail: error.message };
  return refusalOf(cause);
}

const VARIABLE = /^Variable "\$\w+"(?= got invalid value )/;

/** Which variable is wrong, where, and what is wanted there. Both engines quote the value, between its name and its place, and behind a colon. */
function variableFault(variable: string, { message }: GraphQLError, wanted = ''): string {
  const told = wanted === '' ? message : message.slice(0, -`; ${wanted}`.length);
  const place = / at "[^"\\]+"$/.exec(told)?.[0] ?? '';
  const [reason = ''] = wanted.split(':');
  return `${variable}${place} is not of its type${reason && `: ${reason.replace(/\.$/, '')}`}.`;
}

function isMercuriusError(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('MER_');
}

function statusOf(errors: readonly GraphQLError[]): number {
  const statuses = errors.map((error) => refusalFrom(error).status);
  return statuses.length > 0 && statuses.every((status) => status === statuses[0])
    ? (statuses[0] ?? 400)
    : 200;
}
