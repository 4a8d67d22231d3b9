import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, Conflict, idSchema, newId, NotFound } from '@holdfast/kernel';
import { Cursors, type Idempotency, page, type Page, pageOf } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, dto, IdempotencyKey, Needs } from '@holdfast/http';
import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Module,
  Param,
  Patch,
  Post,
  Query,
} from '@nestjs/common';
import { Args, ArgsType, ObjectType, Query as Field, Resolver } from '@nestjs/graphql';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import { looseNoteInput, noteInput, Notes, notesInput, noteView, show } from './notes';

const cursors = new Cursors('notes', z.tuple([z.string()]));

@Controller('v1/notes')
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Get()
  @Needs('ledger:read')
  @ApiOperation({ summary: 'List notes' })
  @ApiOkResponse({ standardSchema: pageOf(noteView) })
  list(
    @CallerOf() caller: Caller,
    @Headers() headers: Readonly<Record<string, string>>,
    @Query({ schema: notesInput }) { limit, author, after, ...query }: z.output<typeof notesInput>,
  ): Page<z.output<typeof noteView>> {
    const { flaw } = this.notes;
    let tenantId = caller.tenantId;
    if (flaw === 'takes the tenant from a header') tenantId = headers['x-tenant-id'] ?? tenantId;
    if (flaw === 'takes the tenant from the query')
      tenantId = (query['tenantId'] as string | undefined) ?? tenantId;
    const isForAll =
      flaw === 'lists what is of all tenants' ||
      (flaw === 'filters what is of all tenants' && author !== undefined);
    const notes = (isForAll ? this.notes.all : this.notes.of(tenantId)).filter(
      (note) => author === undefined || note.author === author,
    );
    const isCareless = flaw === 'goes on from the cursor of another tenant';
    const reader = isCareless ? { ...caller, tenantId: '' } : caller;
    const [last] = cursors.decode(reader, after) ?? [];
    const rest = notes.slice(notes.findIndex(({ id }) => id === last) + 1, limit + 1);
    return page(rest, limit, show, ({ id }) => cursors.encode(reader, [id]));
  }

  @Get(':id')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Read a note' })
  @ApiOkResponse({ standardSchema: noteView })
  async read(
    @CallerOf() { tenantId }: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<unknown> {
    const { flaw } = this.notes;
    const there = this.notes.anywhere(id);
    if (there && flaw === 'shows what is another tenant’s') return show(there);
    if (there && flaw === 'takes longer for what is there') await sleep(40);
    const isForeign = there && there.tenantId !== tenantId;
    if (isForeign && flaw === 'says that an object of another tenant is there') throw new Conflict();
    if (there?.isDeleted && flaw === 'says that an object of another tenant was there') throw new Conflict();
    return show(this.notes.find(tenantId, id));
  }

  @Post()
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Write a note' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: noteView })
  write(
    @CallerOf() caller: Caller,
    @IdempotencyKey() { key }: Idempotency,
    @Body({ schema: looseNoteInput }) { tenantId: given, ...input }: z.output<typeof looseNoteInput>,
  ): unknown {
    const { flaw } = this.notes;
    const isCareless = flaw === 'takes the tenant from the body' && typeof given === 'string';
    const tenantId = isCareless ? given : caller.tenantId;
    const stored = `${flaw === 'keeps idempotency keys for all tenants together' ? '' : tenantId} ${key}`;
    const answer = this.notes.answers.get(stored);
    if (answer) return show(answer);
    if (input.parentNoteId && flaw !== 'refers to an object of another tenant')
      this.notes.find(tenantId, input.parentNoteId);
    else if (input.parentNoteId && !this.notes.anywhere(input.parentNoteId)) throw new NotFound();
    if (flaw === 'refuses an id that another tenant has taken' && this.notes.anywhere(input.id ?? ''))
      throw new Conflict();
    const note = { ...input, id: input.id ?? newId(), tenantId, isDeleted: false };
    this.notes.all.push(note);
    this.notes.answers.set(stored, note);
    return show(note);
  }

  @Patch(':id')
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Change a note' })
  @ApiOkResponse({ standardSchema: noteView })
  change(
    @CallerOf() { tenantId }: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: noteInput.pick({ text: true }) }) { text }: { readonly text: string },
  ): unknown {
    if (this.notes.flaw === 'changes what is another tenant’s, and denies it')
      Object.assign(this.notes.anywhere(id) ?? {}, { text });
    return show(Object.assign(this.notes.find(tenantId, id), { text }));
  }

  @Delete(':id')
  @HttpCode(204)
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Delete a note' })
  @ApiNoContentResponse()
  delete(@CallerOf() { tenantId }: Caller, @Param('id', { schema: idSchema }) id: string): void {
    const isCareless = this.notes.flaw === 'deletes what is another tenant’s, and denies it';
    const there = isCareless ? this.notes.anywhere(id) : undefined;
    const isOwn = this.notes.of(tenantId).includes(there ?? this.notes.find(tenantId, id));
    Object.assign(there ?? this.notes.find(tenantId, id), { isDeleted: true });
    if (!isOwn) throw new NotFound();
  }
}

@Controller('v1/notes/:id/replies')
class RepliesController {
  constructor(private readonly notes: Notes) {}

  @Post()
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Reply to a note' })
  @ApiCreatedResponse({ standardSchema: noteView })
  reply(
    @CallerOf() { tenantId }: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: noteInput.pick({ text: true, author: true }) }) input: { text: string; author: string },
  ): unknown {
    const parentNoteId = this.notes.find(tenantId, id).id;
    const reply = { ...input, id: newId(), parentNoteId, tenantId, isDeleted: false };
    this.notes.all.push(reply);
    return show(reply);
  }

  @Get(':replyId')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Read a reply' })
  @ApiOkResponse({ standardSchema: noteView })
  read(
    @CallerOf() { tenantId }: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Param('replyId', { schema: idSchema }) replyId: string,
  ): unknown {
    const note = this.notes.find(tenantId, id);
    const isCareless = this.notes.flaw === 'shows a part of another tenant’s, below what is one’s own';
    const reply = (isCareless && this.notes.anywhere(replyId)) || this.notes.find(tenantId, replyId);
    if (!isCareless && reply.parentNoteId !== note.id) throw new NotFound();
    return show(reply);
  }
}

@ObjectType('Note')
class NoteObject extends dto(noteView, 'output') {}

@ArgsType()
class NoteArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@Resolver(() => NoteObject)
class NotesResolver {
  constructor(private readonly notes: Notes) {}

  @Field(() => NoteObject, { description: 'A note.' })
  @Needs('ledger:read')
  note(@CallerOf() { tenantId }: Caller, @Args() { id }: NoteArgs): NoteObject {
    const isCareless = this.notes.flaw === 'shows over GraphQL what is another tenant’s';
    return show((isCareless && this.notes.anywhere(id)) || this.notes.find(tenantId, id));
  }
}

/** A module as somebody might add one, and get one thing wrong. */
@Module({ controllers: [NotesController, RepliesController], providers: [Notes, NotesResolver] })
export class NotesModule {}
