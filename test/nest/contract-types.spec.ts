import { expect, test } from '@jest/globals';
import { applyDecorators } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  defineRequest,
  defineStream,
  GridContext,
  GridInput,
  GridRequest,
  GridStream,
  type GridClient,
} from 'nestjs-grid';
import { of, type Observable } from 'rxjs';

// the compiler checks this file (npm run typecheck): each line below an expected error must not compile

interface Query {
  readonly key: string;
}
class Entry {
  readonly size: number = 0;
}
const Look = defineRequest<Query, Entry>({ id: 1, name: 'look' });
const Ping = defineRequest<void, string>({ id: 2, name: 'ping' });
const Walk = defineStream<Query, never, Entry>({ id: 3, name: 'walk' });
const Upload = defineStream<Query, Uint8Array, number>({ id: 4, name: 'upload', inCapacity: 4 });

class Fits {
  @GridRequest(Look)
  value(query: Query): Entry {
    return { size: query.key.length };
  }

  @GridRequest(Look)
  async promise(@Payload() _query: Query, @Ctx() _context: GridContext): Promise<Entry> {
    return new Entry();
  }

  @GridRequest(Look)
  observable(): Observable<Entry> {
    return of(new Entry());
  }

  @GridRequest(Ping)
  ping(): string {
    return 'pong';
  }

  @GridStream(Walk)
  async *generator(_query: Query): AsyncGenerator<Entry> {
    yield new Entry();
  }

  @GridStream(Walk)
  one(): Entry {
    return new Entry();
  }

  @GridStream(Upload)
  async *upload(_query: Query, @GridInput() input: AsyncIterable<Uint8Array>, @Ctx() _context?: GridContext) {
    for await (const chunk of input) yield chunk.length;
  }

  @applyDecorators(GridRequest.untyped(Look), GridStream.untyped(Walk))
  composed(): Entry {
    return new Entry();
  }
}

class Refused {
  // @ts-expect-error -- the payload is a Query
  @GridRequest(Look)
  payload(_query: number): Entry {
    return new Entry();
  }

  // @ts-expect-error -- the answer is an Entry
  @GridRequest(Look)
  result(_query: Query): string {
    return '';
  }

  // @ts-expect-error -- each message is an Entry
  @GridStream(Walk)
  async *message(_query: Query): AsyncGenerator<string> {
    yield '';
  }

  // @ts-expect-error -- the input is Uint8Array
  @GridStream(Upload)
  async *input(_query: Query, @GridInput() input: AsyncIterable<string>): AsyncGenerator<number> {
    for await (const text of input) yield text.length;
  }

  // @ts-expect-error -- there is no input
  @GridStream(Walk)
  noInput(_query: Query, @GridInput() _input: AsyncIterable<Entry>): Entry {
    return new Entry();
  }

  // @ts-expect-error -- a stream is no request
  @GridRequest(Walk)
  kind(_query: Query): Entry {
    return new Entry();
  }
}

function clientCalls(client: GridClient): Observable<unknown>[] {
  const entries: Observable<Entry> = client.send(Walk, { key: 'k' });
  const pong: Observable<string> = client.send(Ping);
  // @ts-expect-error -- the payload is missing
  client.send(Look);
  // @ts-expect-error -- the payload is a Query
  client.send(Look, 1);
  return [entries, pong, client.send('any', 1), client.send({ cmd: 'any' })];
}

test('what fits compiles, what does not is refused', () => {
  expect([Fits, Refused, clientCalls]).toHaveLength(3);
});
