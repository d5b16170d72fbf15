import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import type { Role } from './process-message.js';
import type { Run } from './run.js';

/** The CPU profile of what one process does in the measured time: start and warm-up are not in it. */
export class CpuProfile {
  private readonly session = new Session();
  private parts = 0;

  constructor(
    private readonly folder: string,
    private readonly run: Run,
    private readonly role: Role,
  ) {
    this.session.connect();
  }

  async begin(): Promise<void> {
    await this.session.post('Profiler.enable');
    await this.session.post('Profiler.start');
  }

  async end(): Promise<void> {
    const { profile } = await this.session.post('Profiler.stop');
    const { case: name, api, part, payload, outstanding, round } = this.run;
    const counts = [`round${round}`, `part${++this.parts}`];
    const words = [name, part.replaceAll(/\W+/g, '-'), api, payload, outstanding, ...counts, this.role];
    mkdirSync(this.folder, { recursive: true });
    // at once: the process is ended as soon as the other side is done
    const file = `${words.filter((word) => word !== '').join('.')}.cpuprofile`;
    writeFileSync(join(this.folder, file), JSON.stringify(profile));
  }
}
