import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { setTimeout as sleep } from 'node:timers/promises';
import { GridContext, GridError, GridRequest } from 'nestjs-grid';
import { numberOf, textOf } from './payload-text.js';
import { RunningHandlers } from './running-handlers.js';

/** The single handlers. A payload is undefined where the request carried none. */
@Controller()
export class RequestsController {
  constructor(private readonly running: RunningHandlers) {}

  @GridRequest(60)
  echo(@Payload() payload: Buffer | undefined): Buffer | undefined {
    return payload;
  }

  @GridRequest(60, { subroute: 'sub/route' })
  echoAtSubroute(@Payload() payload: Buffer | undefined): Buffer {
    return Buffer.concat([Buffer.from('sub/route:'), payload ?? Buffer.alloc(0)]);
  }

  @GridRequest(61)
  fail(@Payload() payload: Buffer | undefined): never {
    throw new GridError('UNKNOWN', textOf(payload));
  }

  @GridRequest(62)
  async wait(@Payload() payload: Buffer | undefined, @Ctx() context: GridContext): Promise<Buffer> {
    await sleep(numberOf(textOf(payload)), undefined, { signal: context.signal });
    return Buffer.from('done');
  }

  @GridRequest(68)
  countRunning(): Buffer {
    return Buffer.from(String(this.running.count));
  }

  @GridRequest(70)
  answerEmpty(): Buffer {
    return Buffer.alloc(0);
  }

  @GridRequest(72)
  tellMetadata(@Ctx() context: GridContext): Buffer {
    const sorted = Object.entries(context.getMetadata()).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Buffer.from(JSON.stringify(Object.fromEntries(sorted)));
  }
}
