import { lasts } from '../pace.js';
import { turn } from '../turn.js';
import { joinCouple, type Couple } from './couple.js';
import { readFlags, USAGE, type Flags } from './flags.js';
import { baseLineOf, compare, type Holdings } from './holdings.js';
import { AWAY_MS, MIX, ROUND, runHour, runMix } from './mix.js';

const OUTSTANDING = 64;
/** While the connection comes and goes. */
const OUTSTANDING_THEN = 16;
/** So much is done before the first look, at most: what is made once is made by then. */
const WARM_UP: Flags = { calls: 20_000, reconnects: 200, hourCalls: 5_000 };
/** Of a short run, no more than this part of it. */
const WARM_UP_PART = 1 / 4;
/** But calls of every kind, also before a run of reconnects alone: under them a kind may come late, or not at all. */
const WARM_UP_CALLS = 50 * ROUND;
const RECONNECT_WITHIN_MS = 20_000;

let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}
const shares = Object.entries(MIX).map(([name, { share }]) => `${share} ${name}`);
console.log(`of a hundred calls: ${shares.join(', ')}; ${OUTSTANDING} at a time`);

const couple = await joinCouple();
let failed = false;
for (const { act } of phases(warmUp(flags))) await act();
const before = await baseLineOf(couple);
console.log(`warm: ${megabytes(before)} of heap, ${JSON.stringify(before.counts)}`);
for (const { name, act } of phases(flags)) {
  const startedAt = performance.now();
  const told = await act();
  const { after, left: grown } = await compare(couple, before);
  const left = [...told.wrong, ...grown];
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const verdict = left.length === 0 ? 'ok  ' : 'LEAK';
  console.log(`${verdict} ${name}: ${megabytes(after)} of heap, ${seconds} s. ${told.text}`);
  for (const text of left) console.log(`       ${text}`);
  failed ||= left.length > 0;
}
await couple.close();
// a server that has closed is listed until the loop has come round
for (let turns = 0; turns < 3; turns++) await turn();
const rest = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind.startsWith('TCP'));
if (rest.length > 0) console.log(`LEAK after the end: ${rest.join(', ')}`);
process.exitCode = failed || rest.length > 0 ? 1 : 0;

function warmUp({ calls, reconnects, hourCalls }: Flags): Flags {
  const part = (most: number, all: number): number => Math.min(most, Math.ceil(all * WARM_UP_PART));
  return {
    calls: Math.max(WARM_UP_CALLS, part(WARM_UP.calls, calls)),
    reconnects: part(WARM_UP.reconnects, reconnects),
    hourCalls: part(WARM_UP.hourCalls, hourCalls),
  };
}

interface Phase {
  readonly name: string;
  act(): Promise<{ readonly text: string; readonly wrong: readonly string[] }>;
}

function phases({ calls, reconnects, hourCalls }: Flags): Phase[] {
  return [
    { name: `${calls} calls`, act: () => mixed(calls) },
    { name: `${reconnects} reconnects`, act: () => reconnecting(couple, reconnects) },
    {
      name: `${hourCalls} requests with a deadline of an hour`,
      act: async () => {
        await runHour(couple, hourCalls, OUTSTANDING);
        return { text: '', wrong: [] };
      },
    },
  ];
}

async function mixed(calls: number): ReturnType<Phase['act']> {
  const { counts, wrong } = await runMix(couple, calls, OUTSTANDING);
  return { text: ends(counts), wrong: [...wrong].map(([text, count]) => `${count} times ${text}`) };
}

/** Resets the connection again and again, each time when both ends have it back and calls are under way again. */
async function reconnecting({ core, nest, reset }: Couple, reconnects: number): ReturnType<Phase['act']> {
  let over = false;
  const calls = runMix(couple, Infinity, OUTSTANDING_THEN, () => over);
  for (let done = 0; done < reconnects; done++) {
    const lost = Promise.all([core, nest].map(({ events }) => firstDown(events)));
    reset();
    await lost;
    const wait = { timeoutMs: RECONNECT_WITHIN_MS };
    await Promise.all([core, nest].map(({ peers }) => peers[0]!.waitForConnect(wait)));
    // so long the calls pause that found no connection
    await lasts(AWAY_MS);
  }
  over = true;
  const { counts } = await calls;
  return { text: `Meanwhile ${ends(counts)}`, wrong: [] };
}

function firstDown(events: Couple['core']['events']): Promise<void> {
  return new Promise((resolve) => {
    const watching = events.subscribe(({ type }) => {
      if (type !== 'down') return;
      watching.unsubscribe();
      resolve();
    });
  });
}

function ends(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([end, count]) => `${count} ${end}`).join(', ');
}

function megabytes({ heapUsed }: Holdings): string {
  return `${(heapUsed / 1024 / 1024).toFixed(1)} MB`;
}
