import 'reflect-metadata';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload,
  Transport,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { firstValueFrom, map, range, type Observable } from 'rxjs';
import { ADDRESS, type Api, type Meeting } from '../api.js';
import { itemPayload } from '../payloads.js';
import { counted } from './counted.js';

@Controller()
class BenchController {
  // the handler really holds the bytes, as it does over the grid: base64 is part of what JSON costs
  @MessagePattern('echo')
  echo(@Payload() text: string): string {
    return base64(Buffer.from(text, 'base64'));
  }

  @MessagePattern('items')
  items(@Payload() count: number): Observable<string> {
    return range(0, count).pipe(map((index) => base64(itemPayload(index))));
  }
}

/** A TCP microservice with these controllers. */
export async function serveTcp(
  { serverPort, certificate }: Meeting,
  controllers: Type[] = [BenchController],
): Promise<void> {
  @Module({ controllers })
  class BenchModule {}

  const app = await NestFactory.createMicroservice<MicroserviceOptions>(BenchModule, {
    transport: Transport.TCP,
    options: { host: ADDRESS, port: serverPort, ...(certificate && { tlsOptions: certificate }) },
    logger: ['error'],
  });
  await app.listen();
}

export async function connectTcp({ serverPort, certificate }: Meeting): Promise<ClientProxy> {
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: ADDRESS, port: serverPort, ...(certificate && { tlsOptions: { ca: certificate.cert } }) },
  });
  await client.connect();
  return client;
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

export const nestTcp: Api = {
  serve: (meeting) => serveTcp(meeting),

  async connect(meeting) {
    const client = await connectTcp(meeting);
    return {
      async echo(payload) {
        return Buffer.from(await firstValueFrom(client.send<string>('echo', base64(payload))), 'base64');
      },
      items: (count) => counted(client.send<string>('items', count).pipe(map((text) => Buffer.from(text, 'base64')))),
    };
  },
};
