import { afterEach, expect, it } from '@jest/globals';
import { bytes } from '../../lib/calls/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { op } from '../conformance/raw-codec.js';
import { RawHandler } from '../conformance/raw-handler.js';
import { RawListener } from '../conformance/raw-listener.js';
import { until } from '../until.js';
import { Neighbourhood } from './neighbourhood.js';

let hood: Neighbourhood;
let listener: RawListener;
afterEach(async () => {
  await hood.close();
  await listener.close();
});

it('B47 bytes counted are those that a peer made by hand has got and sent, the handshake included', async () => {
  hood = await Neighbourhood.build(1);
  const house = hood.houses[0]!;
  listener = await RawListener.listen((origin) => localDials(house.origin, origin));
  const grid = house.grid({ hosts: [house.origin, listener.origin], auth: 'none', codec: bytes() });
  grid.handle(60, { kind: 'request' }, (payload) => payload);
  void grid.start();
  const peer = await listener.socket();
  const sent: number[] = [];
  const { sendFrame } = peer;
  peer.sendFrame = (frame) => {
    sent.push(frame.length);
    sendFrame.call(peer, frame);
  };
  await peer.accept({ ext: ['meta', 'error', 'cancel', 'capacity'] });
  await grid.peer(listener.origin).waitForConnect();
  for (const size of [0, 1, 100, 1_000, 100_000]) {
    const answer = grid.peer(listener.origin).request(60, Buffer.alloc(size), { metadata: { size: `${size}` } });
    const call = await RawHandler.called(peer, { op: op.Request });
    call.respond(call.opening.payload);
    await answer;
    await peer.call(60, Buffer.alloc(size));
  }
  await grid.peer(listener.origin).ping();
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const stats = () => grid.stats().peers[0]!;
  await until(() => stats().framesIn === sent.length && stats().framesOut === peer.frames.length, 'all has arrived');
  expect([stats().bytesIn, stats().bytesOut]).toEqual([sum(sent), sum(peer.frames.map(({ length }) => length))]);
});
