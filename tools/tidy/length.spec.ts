import { describeRule, percentile90, type Rule } from './rule';
import { functionsOf } from './syntax';
import { isTest, isTypeScript, readTree } from './tree';

const functionLinesMax = 60;
const functionLinesP90 = 30;
const fileLinesMax = 400;
const fileLinesP90 = 200;
const doorLinesMax = 30;

const tree = readTree();
const linesOf = (text: string): number => text.trimEnd().split('\n').length;
const longFunction = (lines: number): string =>
  `export function long(): void {\n${'  run();\n'.repeat(lines - 2)}}\n`;

/** A describe is one function, however many cases it holds; so tests are left out. */
const functions: Rule = (files) =>
  files
    .filter(({ path }) => isTypeScript(path) && !isTest(path))
    .flatMap(functionsOf)
    .filter(({ lines }) => lines > functionLinesMax)
    .map(({ place, lines }) => `${place} has ${lines} lines`);

const usualFunction: Rule = (files) => {
  const all = files.filter(({ path }) => isTypeScript(path) && !isTest(path)).flatMap(functionsOf);
  const lines = percentile90(all.map((each) => each.lines));
  return lines > functionLinesP90 ? [`the 90th percentile of function length is ${lines} lines`] : [];
};

const files: Rule = (all) =>
  all
    .filter(({ path, text }) => isTypeScript(path) && linesOf(text) > fileLinesMax)
    .map(({ path, text }) => `${path} has ${linesOf(text)} lines`);

const usualFile: Rule = (all) => {
  const lines = percentile90(all.filter(({ path }) => isTypeScript(path)).map(({ text }) => linesOf(text)));
  return lines > fileLinesP90 ? [`the 90th percentile of file length is ${lines} lines`] : [];
};

const doors: Rule = (all) =>
  all
    .filter(({ path, text }) => /^libs\/.*\/src\/index\.ts$/.test(path) && linesOf(text) > doorLinesMax)
    .map(({ path, text }) => `${path} has ${linesOf(text)} lines`);

describeRule(`A function has at most ${functionLinesMax} lines of code`, tree, {
  rule: functions,
  refused: [{ 'libs/kernel/src/a.ts': longFunction(61) }, { 'apps/api/src/a.ts': longFunction(61) }],
  accepted: [
    { 'libs/kernel/src/a.ts': longFunction(60) },
    { 'libs/kernel/src/a.spec.ts': longFunction(200) },
  ],
  advice:
    'Split these functions where a reader would draw a breath, and give the part a name that says what it does.',
});

describeRule(`Nine functions in ten have at most ${functionLinesP90} lines`, tree, {
  rule: usualFunction,
  refused: [{ 'libs/kernel/src/a.ts': longFunction(31) }],
  accepted: [{ 'libs/kernel/src/a.ts': longFunction(30) + 'function short(): void {}\n'.repeat(9) }],
  advice: 'Too many functions are long. Shorten some.',
});

describeRule(`A file has at most ${fileLinesMax} lines`, tree, {
  rule: files,
  refused: [{ 'libs/kernel/src/a.ts': 'run();\n'.repeat(401) }],
  accepted: [{ 'libs/kernel/src/a.ts': 'run();\n'.repeat(400) }],
  advice: 'Split these files by subject.',
});

describeRule(`Nine files in ten have at most ${fileLinesP90} lines`, tree, {
  rule: usualFile,
  refused: [{ 'libs/kernel/src/a.ts': 'run();\n'.repeat(201) }],
  accepted: [{ 'libs/kernel/src/a.ts': 'run();\n'.repeat(200) }],
  advice: 'Too many files are long. Split some by subject.',
});

describeRule(`A door has at most ${doorLinesMax} lines`, tree, {
  rule: doors,
  refused: [{ 'libs/kernel/src/index.ts': 'run();\n'.repeat(31) }],
  accepted: [{ 'libs/kernel/src/index.ts': 'run();\n'.repeat(30) }],
  advice: 'An index.ts exports what others need and nothing else. Export less.',
});
