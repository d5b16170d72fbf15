import { type DynamicModule, Module } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import { bytes, GridError, GridModule } from 'nestjs-grid';
import { ControlController } from './control.controller.js';
import { RequestsController } from './requests.controller.js';
import { RunningHandlers } from './running-handlers.js';
import type { Settings } from './settings.js';
import { StreamsController } from './streams.controller.js';

@Module({})
export class ConformanceModule {
  static of({ local, hosts, token, route }: Settings): DynamicModule {
    const grid = GridModule.forRoot({
      local,
      hosts,
      route,
      auth: {
        sign: () => token,
        verify: (shown) => {
          if (!isEqual(shown, token)) throw new GridError('UNAUTHENTICATED', 'it is not the shared token');
        },
      },
      codec: bytes(),
      drainTimeoutMs: 1_000, // so that SIGTERM is over within 2 s
      limits: { errorTextBytes: 64 * 1_024 }, // 61 and 66 fail with what they are told
    });
    return {
      module: ConformanceModule,
      imports: [grid],
      controllers: [RequestsController, StreamsController, ControlController],
      providers: [RunningHandlers],
    };
  }
}

/** In constant time; by their hashes, for only what is equally long can be compared so. */
function isEqual(shown: string, token: string): boolean {
  const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hashOf(shown), hashOf(token));
}
