import type { Meeting } from './api.js';
import type { Finding } from './measurement.js';
import type { Run } from './run.js';
import type { Answers, Scene } from './scene.js';

/** Something to measure. */
export interface BenchCase {
  /** Runs in the server process: resolves when it takes calls, with what the client may ask it. */
  serve(run: Run, meeting: Meeting): Promise<Answers>;
  /** Runs in the client process. */
  measure(scene: Scene): Promise<Finding[]>;
  /** Runs in a third process, beside the client, when the scene starts it. */
  join?(run: Run, meeting: Meeting): Promise<void>;
}
