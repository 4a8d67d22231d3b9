import type { z } from 'zod';
import { schemas } from './apps.config';
import { notesOf, type VariableNotes } from './variable';

/** Every variable once, with the apps that read it, in the order of the schemas. */
function everyVariable(): { readonly notes: VariableNotes; readonly apps: readonly string[] }[] {
  const found = new Map<string, { notes: VariableNotes; apps: string[] }>();
  for (const [app, schema] of Object.entries(schemas)) {
    for (const field of Object.values(schema.shape as Record<string, z.ZodType>)) {
      const notes = notesOf(field);
      const known = found.get(notes.env) ?? { notes, apps: [] };
      known.apps.push(app);
      found.set(notes.env, known);
    }
  }
  return [...found.values()];
}

/** The table of every variable in Markdown, as it stands in the README. */
export function variablesTable(): string {
  const rows = everyVariable().map(({ notes, apps }) => {
    const meaning = notes.unit === undefined ? notes.meaning : `${notes.meaning} Unit: ${notes.unit}.`;
    return `| \`${notes.env}\` | ${apps.join(', ')} | ${meaning} | ${notes.whenEmpty} | ${notes.secret === true ? 'yes' : ''} |`;
  });
  return [
    '| variable | read by | meaning | default, when absent or empty | secret |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
