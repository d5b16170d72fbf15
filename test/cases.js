// Prints which test holds which failure case, and how it went: npm run cases [-- jest-report.json]
// Fails when a case of test/failure-cases.json has no test, or one that does not pass.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const CASE = /\b[BHP]\d{1,2}\b/g;
const root = join(import.meta.dirname, '..');

const { cases } = JSON.parse(readFileSync(join(root, 'test/failure-cases.json'), 'utf8'));
const report = process.argv[2] === undefined ? ranNow() : JSON.parse(readFileSync(process.argv[2], 'utf8'));

/** Runs every test that is named after a case. */
function ranNow() {
  const folder = mkdtempSync(join(tmpdir(), 'cases-'));
  const file = join(folder, 'report.json');
  const args = ['test', '--', '--json', `--outputFile=${file}`, '--silent', '-t', CASE.source];
  spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const found = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });
  return found;
}

/** Case -> its tests. */
const tests = new Map(Object.keys(cases).map((id) => [id, []]));
const unknown = new Set();
for (const { name: file, assertionResults } of report.testResults) {
  for (const { fullName, status } of assertionResults) {
    for (const [id] of fullName.matchAll(CASE)) {
      if (status === 'pending') continue;
      if (tests.has(id)) tests.get(id).push({ file: relative(root, file), passed: status === 'passed' });
      else unknown.add(`${id} in ${relative(root, file)}`);
    }
  }
}

let bad = 0;
for (const [id, held] of tests) {
  const failed = held.filter(({ passed }) => !passed).length;
  const result = held.length === 0 ? 'MISSING' : failed > 0 ? `${failed} FAILED` : `${held.length} passed`;
  if (held.length === 0 || failed > 0) bad++;
  const files = [...new Set(held.map(({ file }) => file.replace('test/', '')))];
  console.log(`${id.padEnd(4)} ${result.padEnd(10)} ${cases[id]}\n${' '.repeat(16)}${files.join(', ')}`);
}
for (const name of unknown) console.log(`no such case: ${name}`);
console.log(`\n${tests.size - bad} of ${tests.size} cases hold`);
process.exitCode = bad + unknown.size > 0 ? 1 : 0;
