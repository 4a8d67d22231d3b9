import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A file of the repository: its path from the root, with forward slashes, and its text. */
export interface TreeFile {
  readonly path: string;
  readonly text: string;
}

export const root = path.resolve(__dirname, '../..');

/** What .gitignore keeps out, and git itself. */
const ignored = new Set(['.git', '.holdfast', 'coverage', 'dist', 'node_modules']);
/** Written by a tool and read by nobody line by line. */
const generated = new Set(['package-lock.json']);
const text =
  /\.(ts|js|cjs|mjs|json|md|sql|prisma|ya?ml|toml|sh|graphql|conf|xml|ini)$|(^|\/)(Dockerfile[^/]*|run|LICENSE)$/;

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const file = path.posix.join(folder, entry.name);
    if (ignored.has(entry.name) || generated.has(file) || entry.name.endsWith('.log')) continue;
    if (entry.isDirectory()) yield* walk(file);
    else yield file;
  }
}

/** Every text file of the repository, read once per spec file. */
export function readTree(): readonly TreeFile[] {
  return [...walk('.')]
    .filter((file) => text.test(file))
    .map((file) => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') }));
}

/** The names of what stands at the root, ignored things left out. */
export function readRootEntries(): readonly string[] {
  return readdirSync(root).filter((name) => !ignored.has(name) && !name.endsWith('.log'));
}

export const isTest = (file: string): boolean =>
  /\.spec\.ts$|^(?:apps|libs\/\w+)\/[^/]+\/test\/|^libs\/platform\/testing\//.test(file);
export const isTypeScript = (file: string): boolean => /^(apps|libs|tools)\/.*\.ts$/.test(file);

/** The line, from 1, on which a position of a text lies. */
export function lineAt(source: string, position: number): number {
  return source.slice(0, position).split('\n').length;
}

/** `path:line` of every match of a pattern in a file. The pattern has the flag `g`. */
export function matches({ path: file, text: source }: TreeFile, pattern: RegExp): string[] {
  return [...source.matchAll(pattern)].map(
    (match) => `${file}:${lineAt(source, match.index)} ${match[0].trim()}`,
  );
}
