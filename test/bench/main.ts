import { appendFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { apiEntry } from './api-table.js';
import { pinned } from './child.js';
import { readFlags, USAGE, type Flags } from './flags.js';
import type { Measurement } from './measurement.js';
import { runPair } from './pair.js';
import { findPeers, NO_PEERS, type Peers } from './peers.js';
import { plan } from './plan.js';
import { tablesOf } from './report.js';
import { profileTables } from './profile-summary.js';
import { markdownOf, textOf } from './table.js';
import { verdictOf } from './verdict.js';

let flags: Flags;
let peers: Peers;
try {
  flags = readFlags(process.argv.slice(2));
  peers = flags.peers ? findPeers() : NO_PEERS;
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}

const runs = plan(flags, peers);
const place = pinned ? 'client on core 0, server on core 1' : 'not pinned to cores (no taskset): expect a wide spread';
const setUp = [
  `Node ${process.version}, ${process.platform}, ${cpus().length} x ${cpus()[0]?.model}, ${place}.`,
  `${flags.rounds} interleaved rounds of ${flags.seconds} s after ${flags.warmUpSeconds} s of warm-up: medians.`,
  'CPU: client and server together. RSS: at the end (peak). Other load: cores that something else kept busy, at worst;',
  'above 0.2 the rates mean little, the CPU per call still something.',
  flags.heapMb > 0
    ? `Each process holds ${flags.heapMb} MB of live objects, as a service does; RSS is with them.`
    : 'The processes hold nothing beside what is measured.',
  ...(flags.tls ? ['Everybody over TLS, as Node has it by default; a grid leaves its CRC out there.'] : []),
  ...(flags.v8.length > 0 ? [`Every process with ${flags.v8.join(' ')}.`] : []),
  ...(peers.leftOut.length > 0 ? [`Left out: ${peers.leftOut.join(', ')}.`] : []),
  '',
  ...[...new Set(runs.map(({ api }) => api))].map((api) => `- ${api}: ${apiEntry(api).title}`),
].join('\n');
console.log(`${setUp}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const startedAt = Date.now();
const measurements: Measurement[] = [];
const keep = (measurement: Measurement): void => {
  measurements.push(measurement);
  if (flags.json !== undefined) appendFileSync(flags.json, `${JSON.stringify(measurement)}\n`);
};
if (flags.json !== undefined) writeFileSync(flags.json, '');
try {
  for (const run of runs) {
    for (const measurement of await runPair(run, flags.profile)) keep(measurement);
    process.stderr.write('.');
  }
} catch (error) {
  // what was measured before is told all the same
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}
process.stderr.write('\n');
// a target that is missed is no failure; a call that fails is one
if (measurements.some(({ errors }) => errors > 0)) process.exitCode = 1;

// the numbers of a smoke run mean nothing
const verdict = flags.scale < 1 ? undefined : verdictOf(measurements);
const tables = [...tablesOf(measurements), ...(verdict ? [verdict] : [])];
console.log(tables.map(textOf).join('\n'));
if (flags.profile !== undefined) {
  const summary = join(flags.profile, 'summary.md');
  writeFileSync(summary, profileTables(flags.profile, startedAt).map(markdownOf).join('\n'));
  console.log(`The frames with the most time of their own: ${summary}`);
}
if (flags.markdown !== undefined) writeFileSync(flags.markdown, `${setUp}\n\n${tables.map(markdownOf).join('\n')}`);
