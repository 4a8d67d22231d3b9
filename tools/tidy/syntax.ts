import ts from 'typescript';
import type { TreeFile } from './tree';

const parsed = new WeakMap<TreeFile, ts.SourceFile>();

/** The syntax tree of a file, parsed once. */
export function parse(file: TreeFile): ts.SourceFile {
  const known = parsed.get(file);
  if (known) return known;
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2024, true);
  parsed.set(file, source);
  return source;
}

/** Every node of a file that the guard accepts, in the order of the text. */
export function nodesOf<Node extends ts.Node>(
  file: TreeFile,
  guard: (node: ts.Node) => node is Node,
): Node[] {
  const found: Node[] = [];
  const visit = (node: ts.Node): void => {
    if (guard(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return found;
}

/** `path:line` of a node. */
export function placeOf(file: TreeFile, node: ts.Node): string {
  return `${file.path}:${parse(file).getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** Lines that hold code: blank ones and those of comments only do not make a function hard to read. */
export function codeLines(text: string): number {
  const withoutComments = text.replaceAll(/^\s*\/\*[\s\S]*?\*\/\s*$/gm, '').replaceAll(/^\s*\/\/.*$/gm, '');
  return withoutComments.split('\n').filter((line) => line.trim() !== '').length;
}

export interface FunctionLength {
  readonly place: string;
  readonly lines: number;
}

const isFunctionWithBody = (node: ts.Node): node is ts.FunctionLikeDeclaration =>
  ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;

/** Every function of a file that has a body, methods and arrows included, with its length in lines of code. */
export function functionsOf(file: TreeFile): FunctionLength[] {
  return nodesOf(file, isFunctionWithBody).map((node) => ({
    place: placeOf(file, node),
    lines: codeLines(node.getText()),
  }));
}
