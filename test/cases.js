// Prints which test holds which failure case, and how it went: npm run cases [-- jest-report.json]
// Fails when a case of test/failure-cases.json has no test, one that does not pass, or a test names no case.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const ID = /\b[BHP]\d{1,2}\b/g;
const root = join(import.meta.dirname, '..');

const { values, positionals } = parseArgs({ allowPositionals: true, options: { table: { type: 'string' } } });
const { cases } = read(values.table ?? join(root, 'test/failure-cases.json'));
const report = positionals[0] === undefined ? ranNow() : read(positionals[0]);

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Runs every test that is named after a case. */
function ranNow() {
  const folder = mkdtempSync(join(tmpdir(), 'cases-'));
  const file = join(folder, 'report.json');
  try {
    const args = ['test', '--', '--json', `--outputFile=${file}`, '--silent', '-t', ID.source];
    spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    return read(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The tests of each case: ID -> [{ file, passed }]. */
const tests = new Map(Object.keys(cases).map((id) => [id, []]));
const unknown = new Set();
for (const { name, assertionResults } of report.testResults) {
  const file = isAbsolute(name) ? relative(join(root, 'test'), name) : name;
  for (const { fullName, status } of assertionResults) {
    // what was not selected by -t did not run
    if (status === 'pending') continue;
    for (const [id] of fullName.matchAll(ID)) {
      if (tests.has(id)) tests.get(id).push({ file, passed: status === 'passed' });
      else unknown.add(`${id} in ${file}`);
    }
  }
}

/** What a case is: a text, or a text with the reason why it cannot happen here as it did there. */
const described = (value) => (typeof value === 'string' ? { text: value } : value);

const counts = { passed: 0, failed: 0, missing: 0, reason: 0 };
const indent = ' '.repeat(16);
for (const [id, held] of tests) {
  const { text, instead } = described(cases[id]);
  const failed = held.filter(({ passed }) => !passed).length;
  const kind = failed > 0 ? 'failed' : held.length > 0 ? 'passed' : instead === undefined ? 'missing' : 'reason';
  const passed = `${held.length} passed`;
  const results = { failed: `${failed} FAILED`, passed, missing: 'MISSING', reason: 'no test' };
  counts[kind]++;
  console.log(`${id.padEnd(4)} ${results[kind].padEnd(10)} ${text}`);
  if (instead !== undefined) console.log(`${indent}here: ${instead}`);
  if (held.length > 0) console.log(indent + [...new Set(held.map(({ file }) => file))].join(', '));
}
for (const name of unknown) console.log(`no such case: ${name}`);

const numberOf = (count, what) => (count > 0 ? `, ${count} ${what}` : '');
console.log(
  `\n${counts.passed} of ${tests.size} cases hold${numberOf(counts.failed, 'failed')}` +
    `${numberOf(counts.missing, 'without a test')}${numberOf(counts.reason, 'cannot happen here')}`,
);
process.exitCode = counts.failed + counts.missing + unknown.size > 0 ? 1 : 0;
