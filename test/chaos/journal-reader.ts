import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

const BLOCK_BYTES = 1024 * 1024;

interface Reading {
  readonly file: number;
  position: number;
  /** The start of a line whose end was not written yet. */
  rest: string;
}

/** Reads the journals of a folder as they grow. */
export class JournalReader {
  private readonly readings = new Map<string, Reading>();
  private readonly block = Buffer.allocUnsafe(BLOCK_BYTES);

  constructor(private readonly folder: string) {}

  /** The words of each line since the last call. `node` is the number that the file's name starts with. */
  *fresh(): Generator<{ node: number; words: string[] }, void, undefined> {
    for (const name of readdirSync(this.folder)) {
      let reading = this.readings.get(name);
      if (!reading) {
        reading = { file: openSync(join(this.folder, name), 'r'), position: 0, rest: '' };
        this.readings.set(name, reading);
      }
      const node = Number.parseInt(name, 10);
      for (const line of this.lines(reading)) yield { node, words: line.split(' ') };
    }
  }

  close(): void {
    for (const { file } of this.readings.values()) closeSync(file);
    this.readings.clear();
  }

  private *lines(reading: Reading): Generator<string, void, undefined> {
    for (;;) {
      const bytes = readSync(reading.file, this.block, 0, BLOCK_BYTES, reading.position);
      if (bytes === 0) return;
      reading.position += bytes;
      const lines = (reading.rest + this.block.toString('latin1', 0, bytes)).split('\n');
      reading.rest = lines.pop() ?? '';
      yield* lines;
    }
  }
}
