import type { Readable } from 'node:stream';
import { GridInput, GridStream } from 'nestjs-grid';
import type { Observable } from 'rxjs';
import type { Entry, Query } from '../contracts.js';
import { Dates, Look, Upload, Walk } from '../contracts.js';

export class Handlers {
  // refused: Type 'string' is not assignable to type 'Entry'
  @GridStream(Walk)
  async *message(_query: Query): AsyncGenerator<string> {
    yield '';
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  async *input(_query: Query, @GridInput() input: AsyncIterable<string>): AsyncGenerator<number> {
    for await (const text of input) yield text.length;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Dates)
  async *beforeTheSchema(_: unknown, @GridInput() dates: AsyncIterable<string>): AsyncGenerator<string> {
    yield* dates;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  observable(_query: Query, @GridInput() _input: Observable<Uint8Array>): number {
    return 1;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  list(_query: Query, @GridInput() _input: Uint8Array[]): number {
    return 1;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  iterable(_query: Query, @GridInput() _input: Iterable<Uint8Array>): number {
    return 1;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  readable(_query: Query, @GridInput() _input: Readable): number {
    return 1;
  }

  // refused: '@GridInput() gives an AsyncIterable of the input type of the contract'
  @GridStream(Upload)
  generator(_query: Query, @GridInput() _input: AsyncGenerator<Uint8Array>): number {
    return 1;
  }

  // refused: 'the contract takes no input, so there is nothing for @GridInput()'
  @GridStream(Walk)
  noObservable(_query: Query, @GridInput() _input: Observable<Entry>): Entry {
    return { size: 1 };
  }

  // refused: 'the contract takes no input, so there is nothing for @GridInput()'
  @GridStream(Walk)
  noInput(_query: Query, @GridInput() _input: AsyncIterable<Entry>): Entry {
    return { size: 1 };
  }

  // refused: Type 'Query' is not assignable to type 'string'
  @GridStream(Walk)
  payload(_key: string): Entry {
    return { size: 1 };
  }

  // refused: 'RequestContract<Query, Entry>' but required in type 'StreamContract
  @GridStream(Look)
  kind(_query: Query): Entry {
    return { size: 1 };
  }
}
