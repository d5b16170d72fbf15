import { mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What one process tells about itself, one line per fact. A line is with the system when `note` has returned, so a
 * SIGKILL right after it takes nothing back.
 */
export class Journal {
  private readonly file: number;

  constructor(folder: string, name: string) {
    mkdirSync(folder, { recursive: true });
    this.file = openSync(join(folder, name), 'a');
  }

  note(...words: readonly (string | number)[]): void {
    writeSync(this.file, `${words.join(' ')}\n`);
  }
}
