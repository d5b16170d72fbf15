import { apiEntry } from './api-table.js';
import { caseEntry, type CaseName } from './case-table.js';
import type { Flags } from './flags.js';
import type { Peers } from './peers.js';
import type { Run } from './run.js';

/** All runs of a benchmark in their order: round, case, payload, outstanding, and there everybody in turn. */
export function plan(flags: Flags, peers: Peers): Run[] {
  const rounds = Array.from({ length: flags.rounds }, (_, index) => index + 1);
  return rounds.flatMap((round) => flags.only.flatMap((name) => runsOf(name, round, flags, peers)));
}

function runsOf(name: CaseName, round: number, flags: Flags, peers: Peers): Run[] {
  const entry = caseEntry(name);
  const { once = [], plain = [] } = entry;
  const isDone = (part: string): boolean => round > 1 && (once === true || once.includes(part));
  const isLeftOut = (part: string): boolean => flags.tls && plain.includes(part);
  const parts = (entry.parts ?? ['']).filter((part) => !isDone(part) && !isLeftOut(part));
  const apis = entry.apis.filter((api) => !apiEntry(api).peer || peers.present.has(api));
  const payloads = entry.payload === undefined ? flags.payload : [entry.payload];
  // a smoke run takes one load, the largest
  const outstanding = entry.outstanding?.slice(flags.scale < 1 ? -1 : 0) ?? flags.outstanding;
  const { warmUpSeconds, seconds, scale, heapMb, tls, v8 } = flags;
  const common = { round, warmUpMs: warmUpSeconds * 1000, measureMs: seconds * 1000, scale, heapMb, tls, v8 };
  return payloads.flatMap((payload) =>
    outstanding.flatMap((outstanding) =>
      parts.flatMap((part) =>
        apis.map((api) => ({ case: name, api, part, payload, outstanding, ...common })),
      ),
    ),
  );
}
