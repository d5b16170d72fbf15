import type { Meeting } from './api.js';
import type { Finding } from './measurement.js';
import type { Run } from './run.js';
import type { Memory, Usage } from './scene.js';

export type Role = 'server' | 'client' | 'crowd';

/** What the processes of a run are started with. */
export interface Assignment {
  readonly role: Role;
  readonly run: Run;
  readonly meeting: Meeting;
  /** Where the CPU profile of the measured time goes. */
  readonly profile: string | undefined;
}

/** CPU and memory of one process, as it sees itself. */
export interface Sample extends Memory {
  readonly cpuSeconds: number;
}

/** From the processes of a run to the one that started them. */
export type FromRun =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  | { readonly kind: 'sample'; readonly sample: Sample }
  | { readonly kind: 'ask'; readonly question: string }
  | { readonly kind: 'answer'; readonly value: number }
  | { readonly kind: 'crowd'; readonly present: boolean }
  | { readonly kind: 'result'; readonly findings: Finding[] }
  | { readonly kind: 'failed'; readonly text: string };

/** From the starting process to those of a run. */
export type ToRun =
  | { readonly kind: 'sample?'; readonly at: 'begin' | 'end' }
  | { readonly kind: 'ask'; readonly question: string }
  | { readonly kind: 'go' }
  | { readonly kind: 'done'; readonly usage?: Usage; readonly value?: number };
