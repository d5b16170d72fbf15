import 'reflect-metadata';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { getGridToken, gridMicroservice, GridModule, type Grid, type GridClient } from 'nestjs-grid';
import { firstValueFrom, type Observable } from 'rxjs';
import type { Api, Meeting } from '../api.js';
import { counted } from './counted.js';
import { gridOptions, originOf } from './raw.js';
import { CAPACITY, generated, Handler, observed, pushed } from './sources.js';

@Controller()
class BenchController {
  @MessagePattern(Handler.Echo)
  echo(@Payload() payload: Uint8Array): Uint8Array {
    return payload;
  }

  @MessagePattern(Handler.Items, { outCapacity: CAPACITY })
  items(@Payload() count: number): AsyncGenerator<Uint8Array> {
    return generated(count);
  }

  @MessagePattern(Handler.ObservedItems, { outCapacity: CAPACITY })
  observedItems(@Payload() count: number): Observable<Uint8Array> {
    return observed(count);
  }

  @MessagePattern(Handler.PushedItems, { outCapacity: CAPACITY })
  pushedItems(@Payload() count: number): Observable<Uint8Array> {
    return pushed(count);
  }
}

/** An app with these controllers, its grid running. */
export async function startApp(
  meeting: Meeting,
  local: number,
  controllers: Type[] = [BenchController],
): Promise<Grid> {
  @Module({ controllers })
  class BenchModule {}

  const module = { module: BenchModule, imports: [GridModule.forRoot(gridOptions(meeting, local))] };
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    ...gridMicroservice(),
    logger: ['error'],
  });
  await app.listen();
  return app.get<Grid>(getGridToken());
}

export async function serveNest(meeting: Meeting): Promise<void> {
  await startApp(meeting, meeting.serverPort);
}

/** The client proxy for the server process. */
export async function connectNest(meeting: Meeting): Promise<GridClient> {
  const grid = await startApp(meeting, meeting.clientPort);
  const origin = originOf(meeting, meeting.serverPort);
  await grid.peer(origin).waitForConnect({ timeoutMs: 30_000 });
  return grid.client(origin);
}

export const nest: Api = {
  serve: serveNest,

  async connect(meeting) {
    const client = await connectNest(meeting);
    return {
      echo: (payload) => firstValueFrom(client.send<Uint8Array>(Handler.Echo, payload)),
      items: (count) => counted(client.send<Uint8Array>(Handler.Items, count)),
      observed: (count) => counted(client.send<Uint8Array>(Handler.ObservedItems, count)),
    };
  },
};
