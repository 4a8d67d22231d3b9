import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Every lib that imports another, with what it imports; both in alphabetical order, so that the text is stable. */
export type LibEdges = ReadonlyMap<string, readonly string[]>;

interface CruiseResult {
  modules: { source: string; dependencies: { resolved: string }[] }[];
}

const opening = '<!-- graph: written by `npm run graph` -->';
const closing = '<!-- /graph -->';
const layers = ['modules', 'platform', 'kernel'] as const;

/** Specs, benches, and what stands in a folder `test` for them. */
const isTest = (file: string): boolean => /(\.(spec|bench)\.ts$|\/test\/)/.test(file);
const libOf = (file: string): string | undefined =>
  /^libs\/(kernel|platform\/[^/]+|modules\/[^/]+)\//.exec(file)?.[1];
const nameOf = (lib: string): string => lib.split('/').at(-1) ?? lib;
const layerOf = (lib: string): string => lib.split('/')[0] ?? lib;

/** Reads the edges between libs from the source, tests left out. */
export function readLibEdges(root: string): LibEdges {
  const cruiser = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const options = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'libs'];
  // JSON of a few hundred files is a few megabytes; the default limit of 1 MB would cut it.
  const run = spawnSync(process.execPath, [cruiser, ...options], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  // A violation makes the exit code non-zero too, and `npm run check` reports those; only silence is an error here.
  if (!run.stdout) throw new Error(`dependency-cruiser wrote nothing: ${run.stderr}`);
  return edgesOf(JSON.parse(run.stdout) as CruiseResult);
}

function edgesOf({ modules }: CruiseResult): LibEdges {
  const edges = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules) {
    const from = libOf(source);
    if (!from || isTest(source)) continue;
    const targets = edges.get(from) ?? new Set<string>();
    edges.set(from, targets);
    for (const { resolved } of dependencies) {
      const to = libOf(resolved);
      if (to && to !== from) targets.add(to);
    }
  }
  const sorted = [...edges].map(([from, to]) => [from, [...to].toSorted()] as const);
  return new Map(sorted.toSorted(([a], [b]) => a.localeCompare(b)));
}

/** Cycles are refused elsewhere; `seen` keeps this one from running in circles until then. */
function reaches(edges: LibEdges, from: string, to: string, seen: readonly string[] = []): boolean {
  const next = (edges.get(from) ?? []).filter((lib) => !seen.includes(lib));
  return next.some((lib) => lib === to || reaches(edges, lib, to, [...seen, from]));
}

/** The edges worth drawing: one that a longer way implies would only cross the others. */
function drawnEdges(edges: LibEdges): [string, string][] {
  return [...edges].flatMap(([from, targets]) =>
    targets
      .filter((to) => !targets.some((other) => other !== to && reaches(edges, other, to)))
      .map((to): [string, string] => [from, to]),
  );
}

/** Mermaid for the eye, and a table that is complete. */
export function renderGraph(edges: LibEdges): string {
  const subgraphs = layers.map((layer) => {
    const libs = [...edges.keys()].filter((lib) => layerOf(lib) === layer);
    return [`  subgraph ${layer}-layer [${layer}]`, ...libs.map((lib) => `    ${nameOf(lib)}`), '  end'].join(
      '\n',
    );
  });
  const arrows = drawnEdges(edges).map(([from, to]) => `  ${nameOf(from)} --> ${nameOf(to)}`);
  const rows = [...edges].map(
    ([from, targets]) => `| [${nameOf(from)}](${from}/) | ${targets.map(nameOf).join(', ') || 'nothing'} |`,
  );
  const drawing = ['```mermaid', 'flowchart TD', ...subgraphs, ...arrows, '```'];
  return [...drawing, '', '| lib | uses |', '|---|---|', ...rows].join('\n');
}

/** The document with the graph between its markers replaced. */
export function withGraph(document: string, edges: LibEdges): string {
  const [before, rest] = document.split(opening);
  const after = rest?.split(closing)[1];
  if (before === undefined || after === undefined)
    throw new Error(`libs/README.md has lost its ${opening} markers.`);
  return `${before}${opening}\n\n${renderGraph(edges)}\n\n${closing}${after}`;
}

if (process.argv[1]?.endsWith('tools/graph.ts')) {
  const root = path.resolve(process.argv[1], '../..');
  const file = path.join(root, 'libs/README.md');
  writeFileSync(file, withGraph(readFileSync(file, 'utf8'), readLibEdges(root)));
}
