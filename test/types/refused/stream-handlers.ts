import { GridInput, GridStream } from 'nestjs-grid';
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
