import { idSchema, NotFound } from '@holdfast/kernel';
import { pageInput } from '@holdfast/cqrs';
import { z } from 'zod';

/** Ways in which the notes forget whose they are, each on the route that has to be named for it. */
export const FLAWS = {
  'shows what is another tenant’s': 'GET /v1/notes/{id}',
  'says that an object of another tenant is there': 'GET /v1/notes/{id}',
  'says that an object of another tenant was there': 'GET /v1/notes/{id}',
  'takes longer for what is there': 'GET /v1/notes/{id}',
  'lists what is of all tenants': 'GET /v1/notes',
  'filters what is of all tenants': 'GET /v1/notes',
  'goes on from the cursor of another tenant': 'GET /v1/notes',
  'takes the tenant from a header': 'GET /v1/notes',
  'takes the tenant from the query': 'GET /v1/notes',
  'takes the tenant from the body': 'POST /v1/notes',
  'refers to an object of another tenant': 'POST /v1/notes',
  'refuses an id that another tenant has taken': 'POST /v1/notes',
  'keeps idempotency keys for all tenants together': 'POST /v1/notes',
  'changes what is another tenant’s, and denies it': 'PATCH /v1/notes/{id}',
  'deletes what is another tenant’s, and denies it': 'DELETE /v1/notes/{id}',
  'shows a part of another tenant’s, below what is one’s own': 'GET /v1/notes/{id}/replies/{replyId}',
  'shows over GraphQL what is another tenant’s': 'query note',
} as const;

/** One of the ways. */
export type Flaw = keyof typeof FLAWS;

/** What a note is made of. */
export const noteInput = z.object({
  id: idSchema.optional(),
  text: z.string().min(1).max(200),
  author: z.string().min(1).max(200),
  parentNoteId: idSchema.optional(),
});
/** The same, with whatever else is sent: what no route of ours takes. */
export const looseNoteInput = noteInput.loose();
/** A note on the wire. */
export const noteView = noteInput.extend({ id: idSchema });
/** What the list takes, and whatever else is sent. */
export const notesInput = z.looseObject({ ...pageInput, author: z.string().optional() });
type Note = z.output<typeof noteView> & { tenantId: string; isDeleted: boolean };

/** Notes in memory: correct, but for the flaw that a test has chosen. */
export class Notes {
  flaw: Flaw | undefined;
  readonly all: Note[] = [];
  readonly answers = new Map<string, Note>();

  of(tenantId: string): Note[] {
    return this.all.filter((note) => note.tenantId === tenantId && !note.isDeleted).toReversed();
  }

  find(tenantId: string, id: string): Note {
    const found = this.of(tenantId).find((note) => note.id === id);
    if (!found) throw new NotFound();
    return found;
  }

  anywhere(id: string): Note | undefined {
    return this.all.find((note) => note.id === id);
  }
}

/** The note as callers see it. */
export const show = (note: Note): z.output<typeof noteView> => noteView.parse(note);
