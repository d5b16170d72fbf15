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
  if (entry.once && round > 1) return [];
  const apis = entry.apis.filter((api) => !apiEntry(api).peer || peers.present.has(api));
  const payloads = entry.payload === undefined ? flags.payload : [entry.payload];
  const outstanding = entry.outstanding ?? flags.outstanding;
  const times = { warmUpMs: flags.warmUpSeconds * 1000, measureMs: flags.seconds * 1000, scale: flags.scale };
  return payloads.flatMap((payload) =>
    outstanding.flatMap((outstanding) =>
      (entry.parts ?? ['']).flatMap((part) =>
        apis.map((api) => ({ case: name, api, part, payload, outstanding, round, ...times })),
      ),
    ),
  );
}
