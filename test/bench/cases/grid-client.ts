import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { getGridToken, gridMicroservice, GridModule, type Grid } from 'nestjs-grid';
import { firstValueFrom } from 'rxjs';
import type { BenchCase, Meeting } from '../case.js';
import { gridOptions } from './grid-request.js';

const ECHO = 60;

@Controller()
class EchoController {
  @MessagePattern(ECHO)
  echo(@Payload() payload: Uint8Array): Uint8Array {
    return payload;
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

async function start(meeting: Meeting, local: number): Promise<Grid> {
  const module = { module: EchoModule, imports: [GridModule.forRoot(gridOptions(meeting, local))] };
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    ...gridMicroservice(),
    logger: ['error'],
  });
  await app.listen();
  return app.get<Grid>(getGridToken());
}

export const gridClient: BenchCase = {
  async serve(meeting) {
    await start(meeting, meeting.serverPort);
  },

  async connect(meeting) {
    const grid = await start(meeting, meeting.clientPort);
    const origin = `http://127.0.0.1:${meeting.serverPort}`;
    await grid.peer(origin).waitForConnect({ timeoutMs: 10_000 });
    const client = grid.client(origin);
    return (payload) => firstValueFrom(client.send<Uint8Array>(ECHO, payload));
  },
};
