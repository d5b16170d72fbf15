import type { Meeting } from './api.js';
import type { Run } from './run.js';

/** What the processes used between the two marks around a measured time. */
export interface Usage {
  /** CPU seconds of client, server and broker together. */
  readonly cpuSeconds: number;
  /** Cores that everything else on the machine kept busy meanwhile: the figures of a busy machine mean little. */
  readonly foreignCores: number;
  /** At the end. */
  readonly server: Memory;
  readonly client: Memory;
  /** From the server's resident memory before to its largest since. */
  readonly serverGrowthMb: number;
}

export interface Memory {
  readonly rssMb: number;
  /** Since the process began. */
  readonly peakRssMb: number;
}

/** What the client process of a run can ask of the others. */
export interface Scene {
  readonly run: Run;
  readonly meeting: Meeting;
  /** Right before the measured time. */
  begin(): Promise<void>;
  /** Right after it. */
  end(): Promise<Usage>;
  /** A number that the server of this case answers, by its name. */
  ask(question: string): Promise<number>;
  /** Starts (true) or ends the third process of the case. */
  crowd(present: boolean): Promise<void>;
}

/** Answers of a server process, by the question. */
export type Answers = Readonly<Record<string, () => number | Promise<number>>>;
