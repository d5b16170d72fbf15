import { applyDecorators, createParamDecorator } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { defineStream, GridContext, GridInput, GridRequest, GridStream, type Grid } from 'nestjs-grid';
import type { FakeGrid, FakeHandlers } from 'nestjs-grid/testing';
import { of, type Observable } from 'rxjs';
import type { Entry, Query } from '../contracts.js';
import { Count, Dates, Lines, Look, Note, Ping, Since, Ticks, Until, Upload, Walk } from '../contracts.js';

/** A parameter decorator of an application: it may give anything. */
const Caller = createParamDecorator((what: string) => what);
const Sum = defineStream<number[], number, number>({ id: 9, name: 'sum', inCapacity: 4 });

export class Handlers {
  @GridRequest(Look)
  value(query: Query): Entry {
    return { size: query.key.length };
  }

  @GridRequest(Look, { subroute: 'promise' })
  async promise(@Payload() _query: Query, @Ctx() _context: GridContext): Promise<Entry> {
    return { size: 1 };
  }

  @GridRequest(Look, { subroute: 'observable' })
  observable(): Observable<Entry> {
    return of({ size: 1 });
  }

  @GridRequest(Ping)
  ping(): string {
    return 'pong';
  }

  /** Without the type Nest's own declaration refuses the second parameter. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-arguments -- it chooses another overload
  @EventPattern<string>('told')
  told(@Payload() _text: string, @Ctx() _context: GridContext): void {}

  @GridStream(Walk)
  async *generator(_query: Query): AsyncGenerator<Entry> {
    yield { size: 1 };
  }

  @GridStream(Walk, { subroute: 'one' })
  one(): Entry {
    return { size: 1 };
  }

  @GridStream(Upload)
  async *upload(_query: Query, @GridInput() input: AsyncIterable<Uint8Array>, @Ctx() _context?: GridContext) {
    for await (const chunk of input) yield chunk.length;
  }

  @GridRequest(Since)
  since(since: Date): { days: number } {
    return { days: since.getTime() };
  }

  @GridRequest(Until)
  until(): string {
    return '2026-01-01';
  }

  @GridStream(Dates)
  async *dates({ step }: { step: number }, @GridInput() dates: AsyncIterable<Date>): AsyncGenerator<string> {
    for await (const date of dates) yield new Date(date.getTime() + step).toJSON();
  }

  @GridRequest(Note)
  note(text: string): void {
    text.trim();
  }

  @GridRequest(Count)
  count(): number {
    return 1;
  }

  @GridStream(Ticks)
  async *ticks(): AsyncGenerator<number> {
    yield 1;
  }

  @GridStream(Lines)
  async lines(name: string, @GridInput() lines: AsyncIterable<string>): Promise<string> {
    for await (const line of lines) name += line.length;
    return name;
  }

  // a payload may be a list of what the input is, and other parameters may be lists of something else
  @GridStream(Sum)
  async sum(
    numbers: number[],
    @GridInput() input: AsyncIterable<number | string>,
    @Caller('roles') roles: string[],
    @Caller('name') name: string,
    // oxlint-disable-next-line typescript/no-explicit-any -- a handler may leave it open
    @Ctx() context: any,
  ): Promise<number> {
    for await (const number of input) numbers.push(Number(number));
    return numbers.length + roles.length + name.length + String(context).length;
  }

  @GridStream(Walk, { subroute: 'parameters' })
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  parameters(_query: Query, @Ctx() _context: any, @Caller('roles') roles: string[]): Entry {
    return { size: roles.length };
  }

  @applyDecorators(GridRequest.untyped(Look, { subroute: 'both' }), GridStream.untyped(Walk, { subroute: 'both' }))
  composed(): Entry {
    return { size: 1 };
  }
}

export function atRunTime(grid: Grid): void {
  grid.handle(Look, { subroute: 'disk1' }, (query) => ({ size: query.key.length }));
  grid.handle(Upload, { subroute: 'disk1' }, async function* (_query, { input }) {
    for await (const chunk of input) yield chunk.length;
  });
  grid.handle(Since, {}, (since) => ({ days: since.getTime() }));
  grid.handle(Dates, {}, async function* ({ step }, { input }) {
    for await (const date of input) yield new Date(date.getTime() + step).toJSON();
  });
  // without a contract the handler says what it expects
  grid.handle(60, {}, (query: Query) => query.key);
  grid.handle<Query>(61, {}, ({ key }) => key);
  grid.handle('any', {}, (payload) => String(payload));
}

export const played: FakeHandlers = {
  60: (query: Query) => query.key,
  61: (payload) => String(payload),
};

export function playedLater(grid: FakeGrid): void {
  grid.answer('http://a', 60, (query: Query) => query.key);
  grid.answer('http://a', Look, (query) => ({ size: query.key.length }));
  grid.answer('http://a', Since, (since) => ({ days: since.getTime() }));
  grid.answer('http://a', Dates, async function* ({ step }, { input }) {
    for await (const date of input) yield new Date(date.getTime() + step).toJSON();
  });
}
