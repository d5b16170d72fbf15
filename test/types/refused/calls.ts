import { defineStream, type GridClient, type GridPeer } from 'nestjs-grid';
import { Look, Since, Upload, Walk } from '../contracts.js';

export async function calls(peer: GridPeer, client: GridClient): Promise<void> {
  // refused: Argument of type 'RequestContract<Query, Entry>' is not assignable to parameter of type 'Pattern'
  await peer.request(Look);
  // refused: Type 'number' is not assignable to type 'string'
  await peer.request(Look, { key: 1 });
  // refused: Type '"stream"' is not assignable to type '"request"'
  await peer.request(Walk, { key: 'k' });
  // refused: Property 'siez' does not exist on type 'Entry'
  (await peer.request(Look, { key: 'k' })).siez;
  // refused: Argument of type 'Date' is not assignable to parameter of type 'string'
  await peer.request(Since, new Date());
  // refused: 'RequestContract<Query, Entry>' but required in type 'StreamContract
  peer.stream(Look, { key: 'k' });
  // refused: Argument of type 'StreamContract<Query, never, Entry>' is not assignable to parameter of type 'Pattern'
  peer.stream(Walk);
  // refused: Argument of type 'string' is not assignable to parameter of type 'Uint8Array
  await peer.stream(Upload, { key: 'k' }).write('text');
  // refused: is not assignable to parameter of type 'never'
  await peer.stream(Walk, { key: 'k' }).write('text');
  // refused: Type 'string[]' is not assignable to type 'InputSource<Uint8Array
  peer.stream(Upload, { key: 'k' }, { input: ['text'] });
  // refused: does not exist in type 'CallOptions'
  await peer.request(Look, { key: 'k' }, { timeout: 5 });
  // refused: Argument of type 'RequestContract<Query, Entry>' is not assignable to parameter of type 'Pattern'
  client.send(Look);
  // refused: is not assignable to parameter of type 'Query'
  client.send(Look, 1);
  // refused: Property 'inCapacity' is missing in type
  defineStream<void, string, void>({ id: 1, name: 'x' });
}
