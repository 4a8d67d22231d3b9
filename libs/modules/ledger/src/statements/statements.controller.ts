import { Readable } from 'node:stream';
import { type Caller, idSchema, InvalidInput } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Param, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { StatementTooLong } from '../ledger.errors';
import { AccountStatement, type AccountStatementPage } from './account-statement.query';
import { statementInput, type StatementInput, statementView, type StatementView } from './statement';
import { statementCsv } from './statement-csv';
import { STATEMENT_POLICY, statementHtml } from './statement-html';

const FORMATS = ['json', 'csv', 'html'] as const;
type Format = (typeof FORMATS)[number];

/** A page to read has at most so many entries: a few hundred sheets of paper, a megabyte or two. */
const HTML_ENTRIES_MAX = 5_000;
/** A year of an account with two entries a minute. More is read as JSON, a page at a time. */
const CSV_ENTRIES_MAX = 1_000_000;
/** Entries read at once for a file: a round trip each would cost more than the entries, and all at once memory. */
const FILE_PAGE = 1_000;

const queryInput = statementInput.safeExtend({
  format: z
    .enum(FORMATS)
    .optional()
    .meta({ description: 'Otherwise what `Accept` asks for; `limit` and `after` are of JSON.' }),
});

@ApiTags('ledger')
@Controller('v1/ledger')
export class StatementsController {
  constructor(private readonly queries: QueryBus) {}

  @Get('accounts/:id/statement')
  @Needs('ledger:read')
  @ApiOperation({
    summary:
      'The statement of an account: opening balance, entries, closing balance; as JSON, CSV or a page to print',
  })
  @ApiProduces('application/json', 'text/csv', 'text/html')
  @ApiOkResponse({ standardSchema: statementView })
  async statement(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) accountId: string,
    @Query({ schema: queryInput }) { format: asked, ...input }: z.output<typeof queryInput>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StatementView | StreamableFile> {
    const format = asked ?? accepted(request.headers.accept ?? '');
    reply.header('vary', 'accept').header('cache-control', 'private, no-store');
    if (format === 'json') {
      const { head, entries } = await this.read(caller, { ...input, accountId });
      return { ...head, data: [...entries.data], nextCursor: entries.nextCursor };
    }
    if (input.after !== undefined)
      throw new InvalidInput([{ pointer: '/after', code: 'not_paged', message: 'Only JSON has pages.' }]);
    return format === 'csv'
      ? this.csv(caller, { ...input, accountId }, request, reply)
      : this.html(caller, { ...input, accountId }, reply);
  }

  private async csv(
    caller: Caller,
    input: AccountStatement['input'],
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<StreamableFile> {
    const first = await this.read(caller, { ...input, limit: FILE_PAGE }, CSV_ENTRIES_MAX);
    // A file may take longer than the credential is good for: each page is read by whoever the caller is by then.
    const readmit = request.readmit ?? (() => Promise.resolve(caller));
    const next = async (after: string): Promise<AccountStatementPage> =>
      this.read(await readmit(), { ...input, limit: FILE_PAGE, after });
    const { from, to, accountId } = first.head;
    const name = `statement-${accountId}-${from.slice(0, 10)}-${to.slice(0, 10)}.csv`;
    reply.header('content-disposition', `attachment; filename="${name}"`);
    const type = 'text/csv; charset=utf-8; header=present';
    return new StreamableFile(Readable.from(statementCsv(first, next), { objectMode: false }), { type });
  }

  private async html(
    caller: Caller,
    input: AccountStatement['input'],
    reply: FastifyReply,
  ): Promise<StreamableFile> {
    const whole = await this.read(caller, { ...input, limit: HTML_ENTRIES_MAX }, HTML_ENTRIES_MAX);
    reply.headers({
      'content-security-policy': STATEMENT_POLICY,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    return new StreamableFile(Buffer.from(statementHtml(whole)), { type: 'text/html; charset=utf-8' });
  }

  private async read(
    caller: Caller,
    input: StatementInput & { readonly accountId: string },
    entriesMax = Infinity,
  ): Promise<AccountStatementPage> {
    const page = await this.queries.execute(new AccountStatement(caller, input));
    if (Number(page.head.totals.entries) > entriesMax) throw new StatementTooLong();
    return page;
  }
}

/** The first of the formats that `Accept` names, in its order: browsers name HTML first, and most clients nothing of these. */
function accepted(accept: string): Format {
  const named = accept
    .toLowerCase()
    .split(',')
    .map((range) => /^\s*(?:text|application)\/(json|csv|html)\b(?!.*;\s*q=0(?:\.0*)?\s*$)/.exec(range)?.[1]);
  return FORMATS.find((format) => format === named.find((name) => name !== undefined)) ?? 'json';
}
