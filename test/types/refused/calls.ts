import { defineStream, type Grid, type GridClient, type GridPeer } from 'nestjs-grid';
import { fakeGrid } from 'nestjs-grid/testing';
import { Dates, Look, type Query, Since, Until, Upload, Walk } from '../contracts.js';

interface Part {
  readonly path: string;
  readonly size: number;
}
const Parts = defineStream<void, Part, number>({ id: 6, name: 'parts', inCapacity: 4 });

async function* halves(): AsyncGenerator<{ path: string }> {
  yield { path: 'a' };
}

export async function calls(grid: Grid, peer: GridPeer, client: GridClient): Promise<void> {
  // refused: Property ''the contract needs a payload'' is missing in type 'RequestContract<Query, Entry>'
  await peer.request(Look);
  // refused: Type 'number' is not assignable to type 'string'
  await peer.request(Look, { key: 1 });
  // refused: Type '"stream"' is not assignable to type '"request"'
  await peer.request(Walk, { key: 'k' });
  // refused: Property 'siez' does not exist on type 'Entry'
  (await peer.request(Look, { key: 'k' })).siez;
  // refused: Argument of type 'Date' is not assignable to parameter of type 'string'
  await peer.request(Since, new Date());
  // refused: Property 'getTime' does not exist on type 'string'
  (await peer.request(Until)).getTime();
  // refused: Property 'slice' does not exist on type 'Date'
  (await peer.request(Until, undefined, { validate: true })).slice(1);
  // refused: Argument of type 'Date' is not assignable to parameter of type 'string'
  await peer.stream(Dates, {}).write(new Date());
  // refused: 'RequestContract<Query, Entry>' but required in type 'StreamContract
  peer.stream(Look, { key: 'k' });
  // refused: but required in type 'NeedsPayload<Query>'
  peer.stream(Walk);
  // refused: Argument of type 'string' is not assignable to parameter of type 'Uint8Array
  await peer.stream(Upload, { key: 'k' }).write('text');
  // refused: is not assignable to parameter of type 'never'
  await peer.stream(Walk, { key: 'k' }).write('text');
  // refused: Type 'string[]' is not assignable to type 'InputSource<NoInfer<Uint8Array
  peer.stream(Upload, { key: 'k' }, { input: ['text'] });
  // refused: Type 'number[]' is not assignable to type 'InputSource<never>
  peer.stream(Walk, { key: 'k' }, { input: [1] });
  // refused: Type '{ path: string; }[]' is not assignable to type 'InputSource<NoInfer<Part>>
  peer.stream(Parts, undefined, { input: [{ path: 'a' }] });
  // refused: is not assignable to type 'InputSource<NoInfer<Part>>
  peer.stream(Parts, undefined, { input: halves() });
  // refused: Property 'size' is missing in type '{ path: string; }' but required in type 'Part'
  await peer.stream(Parts, undefined, { input: [{ path: 'a', size: 1 }] }).write({ path: 'b' });
  // refused: does not exist in type 'CallOptions<false>'
  await peer.request(Look, { key: 'k' }, { timeout: 5 });
  // refused: Property ''the contract needs a payload'' is missing in type 'RequestContract<Query, Entry>'
  client.send(Look);
  // refused: is not assignable to parameter of type 'Query'
  client.send(Look, 1);
  // refused: 'value' is of type 'unknown'
  peer.send(60).subscribe((value) => value.size);
  // refused: Property ''the contract needs a payload'' is missing in type 'RequestContract<Query, Entry>'
  peer.send(Look);
  // refused: is not assignable to parameter of type 'Query'
  peer.send(Look, 1);
  // refused: Property 'siez' does not exist on type 'Entry'
  peer.send(Walk, { key: 'k' }).subscribe((entry) => entry.siez);
  // refused: Property 'slice' does not exist on type 'Date'
  peer.send(Until, undefined, { validate: true }).subscribe((date) => date.slice(1));
  // refused: Type 'Uint8Array<ArrayBufferLike>' is not assignable to type 'never'
  peer.send(Upload, { key: 'k' });
  // refused: but required in type 'NeedsPayload<Query>'
  grid.requestAll(Look);
  // refused: is not assignable to parameter of type 'Query'
  grid.requestAll(Look, 1);
  // refused: 'outcome.value' is of type 'unknown'
  for (const outcome of await grid.requestAll(60).all()) if (outcome.status === 'fulfilled') outcome.value.size;
  // refused: 'payload' is of type 'unknown'
  grid.handle(60, {}, (payload) => payload.key);
  // refused: Property 'siez' does not exist on type 'Query'
  grid.handle(60, {}, (query: Query) => query.siez);
  // refused: 'payload' is of type 'unknown'
  fakeGrid({ 'http://a': { 60: (payload) => payload.key } });
  // refused: Property 'inCapacity' is missing in type
  defineStream<void, string, void>({ id: 1, name: 'x' });
}
