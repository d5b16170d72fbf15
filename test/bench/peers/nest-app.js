import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern } from '@nestjs/microservices';
import { firstValueFrom, map, range } from 'rxjs';
import { counted, itemPayload } from './items.js';

// decorators are called as functions here: nothing compiles this folder
class BenchController {
  // the handler really holds the bytes, as it does over the grid: base64 is part of what JSON costs
  echo(text) {
    return Buffer.from(text, 'base64').toString('base64');
  }

  items(count) {
    return range(0, count).pipe(map((index) => itemPayload(index).toString('base64')));
  }
}

/** Makes the method answer that pattern. */
export function answer(type, method, decorator) {
  decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
}

Controller()(BenchController);
answer(BenchController, 'echo', MessagePattern('echo'));
answer(BenchController, 'items', MessagePattern('items'));

/** A microservice with this controller. */
export async function serve(settings, controller = BenchController) {
  class BenchModule {}
  Module({ controllers: [controller] })(BenchModule);
  const app = await NestFactory.createMicroservice(BenchModule, { ...settings, logger: ['error'] });
  await app.listen();
}

/** A client of it, base64 in JSON. */
export async function connect(settings) {
  Logger.overrideLogger(['error']);
  const client = ClientProxyFactory.create(settings);
  await client.connect();
  return {
    async echo(payload) {
      const { buffer, byteOffset, byteLength } = payload;
      const text = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
      return Buffer.from(await firstValueFrom(client.send('echo', text)), 'base64');
    },
    items: (count) => counted(client.send('items', count).pipe(map((text) => Buffer.from(text, 'base64')))),
  };
}
