import { applyDecorators, type INestApplication } from '@nestjs/common';
import { ApiHeader, DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';

type Schema = Record<string, unknown>;
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Responses = Operation['responses'];

/** Documents that an operation takes an Idempotency-Key. */
export const ApiIdempotencyKey = (): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: true,
      description: 'Names this request. Repeating it with the same body gives the same answer and acts once.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    }),
  );

const CREDENTIAL =
  'An API key, hf_live_…, or a JWT of a trusted issuer. Who belongs to several tenants chooses one: Holdfast-Tenant: <id>.';

const problemSchema = z.object({
  type: z.url(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  code: z.string().meta({ description: 'Stable; of the form area.reason.' }),
  requestId: z.string(),
  errors: z.array(z.object({ pointer: z.string(), code: z.string(), message: z.string() })).optional(),
});

/** Serves OpenAPI 3.1 at /openapi.json and its reference, from files of our own, at /docs. */
export function serveOpenApi(app: INestApplication, version: string): void {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Holdfast')
    .setDescription(
      'Every error is application/problem+json with a stable `code`. Money is an integer number of minor units in a decimal string.',
    )
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: CREDENTIAL }, 'credential')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A JWT of a trusted issuer.' }, 'principal')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: "The operator's key." }, 'operator')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    standardSchemaConverter: (schema: unknown, { schemaType }: { schemaType: 'input' | 'output' }) => ({
      schema: jsonSchemaOf(schema as z.ZodType, schemaType),
    }),
  });
  SwaggerModule.setup('docs', app, completed(document), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Holdfast API',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true, showExtensions: true },
  });
}

function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    // Ours are of what is written, also where it is read as something else: zod leaves them out there.
    override: ({ zodSchema, jsonSchema }) => {
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (Array.isArray(examples)) jsonSchema.examples = examples;
    },
  });
  return converted;
}

/** Fields of every answer to a client that is limited. */
const rateLimitHeaders = {
  'RateLimit-Policy': {
    description:
      'The limits that the request counts against: `q` requests at most at once, and in `w` seconds (draft-ietf-httpapi-ratelimit-headers-11).',
    schema: { type: 'string' },
    example: '"tenant";q=2000;w=4, "credential";q=1600;w=4',
  },
  RateLimit: {
    description:
      'Of each limit, how many requests are left (`r`) and the seconds until there are more (`t`).',
    schema: { type: 'string' },
    example: '"tenant";r=1999;t=1, "credential";r=1599;t=1',
  },
  'Retry-After': {
    description: 'Seconds until the request would be admitted.',
    schema: { type: 'integer', minimum: 1 },
  },
} as const;

/** Of the answer to a change. */
const receiptHeader = {
  'Holdfast-Receipt': {
    description:
      'The signed word of the installation for the events that the request has committed: base64 of c2sp.org/tlog-proof@v1, with the receipt as its extra data. Keep it: it proves an event that is deleted before the log is sealed.',
    schema: { type: 'string' },
  },
} as const;

/** Adds what is the same for all operations: problems, limits, and the credential where none is named. */
function completed(document: OpenAPIObject): OpenAPIObject {
  const components = (document.components ??= {});
  components.schemas = { ...components.schemas, Problem: jsonSchemaOf(problemSchema, 'output') };
  components.headers = { ...components.headers, ...rateLimitHeaders, ...receiptHeader };
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  const problem = {
    description: 'Refused or failed.',
    content,
    headers: headersNamed('RateLimit-Policy', 'RateLimit'),
  };
  const tooMany = {
    description: 'Too many requests: `limits.rate_exceeded` or `limits.concurrency_exceeded`.',
    content,
    headers: headersNamed('RateLimit-Policy', 'RateLimit', 'Retry-After'),
  };
  const reads = new Set(Object.values(document.paths).map(({ get }) => get));
  for (const operation of operationsOf(document)) {
    for (const parameter of operation.parameters ?? []) {
      // Fastify calls the rest of a path `*`, and a path of the document has it by this name.
      if ('name' in parameter && parameter.name === '*') parameter.name = 'path';
    }
    const answers = limited(operation.responses, reads.has(operation) ? [] : ['Holdfast-Receipt']);
    operation.responses = { ...answers, 429: tooMany, default: problem };
    operation.security ??= 'x-public' in operation ? [] : [{ credential: [] }];
  }
  return document;
}

interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, object>>;
}

/** The answers of an operation, with how the client stands on each, and more headers. */
function limited(responses: Responses, more: readonly HeaderName[]): Responses {
  const headers = headersNamed('RateLimit-Policy', 'RateLimit', ...more);
  const answers = Object.entries(responses as Record<string, Answer>);
  return Object.fromEntries(
    answers.map(([status, answer]) => [
      status,
      { ...answer, ...(answer.content && { content: texts(answer.content) }), headers },
    ]),
  );
}

/** What is answered as text besides is no object of the schema that the JSON has. */
function texts(content: NonNullable<Answer['content']>): NonNullable<Answer['content']> {
  const media = Object.entries(content);
  return Object.fromEntries(
    media.map(([type, body]) => [
      type,
      type.startsWith('text/') ? { ...body, schema: { type: 'string' } } : body,
    ]),
  );
}

type HeaderName = keyof typeof rateLimitHeaders | keyof typeof receiptHeader;

function headersNamed(...names: readonly HeaderName[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function operationsOf(document: OpenAPIObject): Operation[] {
  return Object.values(document.paths).flatMap(({ get, post, put, patch, delete: remove }) =>
    [get, post, put, patch, remove].filter((operation): operation is Operation => operation !== undefined),
  );
}
