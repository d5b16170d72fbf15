import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { GridInput, GridStream } from 'nestjs-grid';

export interface Progress {
  lines: number;
  bytes: number;
}

@Controller()
export class ImportController {
  /** From the handler to the caller. It is pulled: while nobody reads, the loop stands still. */
  @GridStream(20)
  async *clock(): AsyncGenerator<string> {
    try {
      for (let tick = 1; ; tick++) yield `tick ${tick}`;
    } finally {
      console.log('worker: the clock was stopped');
    }
  }

  /** Both directions at once: lines come in, progress goes out. At most 16 lines are on their way unread. */
  @GridStream(21, { inCapacity: 16 })
  async *import(@Payload() file: string, @GridInput() lines: AsyncIterable<string>): AsyncGenerator<Progress> {
    const progress = { lines: 0, bytes: 0 };
    try {
      for await (const line of lines) {
        progress.lines++;
        progress.bytes += line.length;
        if (progress.lines % 250 === 0) yield { ...progress };
      }
    } finally {
      console.log(`worker: ${file} ended after ${progress.lines} lines`);
    }
  }
}
