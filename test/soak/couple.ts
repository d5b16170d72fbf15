import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Grid, GridManager, GridModule, gridMicroservice, type GridClient, type GridOptions } from 'nestjs-grid';
import { freePorts, TcpFaultProxy } from 'nestjs-grid/testing';
import {
  AnswersController,
  ASKED,
  breaks,
  BREAKS,
  ECHO,
  FAIL,
  items,
  ITEMS,
  refusal,
  sum,
  SUM,
  TOLD,
  untilOver,
  WAIT,
} from './answers.controller.js';

/** A dial may follow the last one at once: the soak is about what a reconnect leaves behind, not about its pauses. */
const REDIAL_MS = 5;
const silent = { error: () => undefined, warn: () => undefined, log: () => undefined, debug: () => undefined };

/** Two hosts in one process over real sockets, one of them a Nest app, each behind a proxy that can reset. */
export interface Couple {
  /** Without Nest. */
  readonly core: GridManager;
  /** Of the Nest app. */
  readonly nest: Grid;
  /** Of the Nest app, to the other one. */
  readonly client: GridClient;
  /** Breaks the connection between them. */
  reset(): void;
  close(): Promise<void>;
}

export async function joinCouple(): Promise<Couple> {
  const ports = await freePorts(2);
  const proxies = await Promise.all(ports.map((port) => TcpFaultProxy.before(port)));
  const hosts = proxies.map(({ origin }) => origin);
  const options = (index: number): GridOptions => ({
    local: hosts[index],
    hosts,
    auth: { secret: 'only for this soak, 32 bytes or more' },
    listen: { host: '127.0.0.1', port: ports[index]! },
    intervals: { redialMs: REDIAL_MS },
    logger: silent,
  });

  @Module({ imports: [GridModule.forRoot(options(1))], controllers: [AnswersController] })
  class AppModule {}

  const app = await NestFactory.createMicroservice(AppModule, { ...gridMicroservice(), logger: false });
  const core = new GridManager(options(0));
  answer(core);
  await core.listen();
  await Promise.all([core.start(), app.listen()]);
  const nest = app.get(Grid);
  await Promise.all([core.peer(hosts[1]!).waitForConnect(), nest.peer(hosts[0]!).waitForConnect()]);
  return {
    core,
    nest,
    client: nest.client(hosts[0]!),
    reset: () => {
      for (const proxy of proxies) proxy.reset();
    },
    close: async () => {
      await Promise.all([core.close(), app.close()]);
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

/** The same handlers without Nest. */
function answer(core: GridManager): void {
  core.handle(ECHO, { kind: 'request' }, (payload: Uint8Array) => payload);
  core.handle(FAIL, { kind: 'request' }, () => {
    throw refusal();
  });
  core.handle(WAIT, { kind: 'request' }, (_, { signal }) => untilOver(signal));
  core.handle(ITEMS, { kind: 'stream', outCapacity: 2 }, items);
  core.handle(BREAKS, { kind: 'stream' }, breaks);
  core.handle(SUM, { kind: 'stream', inCapacity: 2 }, (_, { input }) => sum(input as AsyncIterable<number>));
  core.handle(TOLD, { kind: 'event' }, () => undefined);
  core.handle(ASKED, {}, (payload: string) => payload);
}
