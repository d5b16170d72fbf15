import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import type { BenchCase } from '../case.js';

@Controller()
class EchoController {
  // the handler really holds the bytes, as it does over the grid: base64 is part of what JSON costs
  @MessagePattern('echo')
  echo(@Payload() text: string): string {
    return Buffer.from(text, 'base64').toString('base64');
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

export const nestTcp: BenchCase = {
  async serve({ serverPort }) {
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, {
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: serverPort },
      logger: ['error'],
    });
    await app.listen();
  },

  async connect({ serverPort }) {
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: serverPort },
    });
    await client.connect();
    return async (payload) => {
      const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64');
      return Buffer.from(await firstValueFrom(client.send<string>('echo', text)), 'base64');
    };
  },
};
