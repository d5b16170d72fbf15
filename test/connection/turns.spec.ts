import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Connection } from '../../lib/connection/index.js';
import { socketPair, type MemorySocket } from '../../lib/testing/socket-pair.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { bytes } from '../mux/solo-mux.js';
import { init, stream } from '../mux/streams.js';
import { connect, errorOf, handlers, ports, request } from './grid-end.js';
import { messagesOf } from './raw-peer.js';

const ITEMS = 10;
/** Of a stream whose credits go back together. */
const CAPACITY = 64;

describe('when a connection writes', () => {
  let sockets: [MemorySocket, MemorySocket];
  let caller: Connection;
  /** How many messages each frame of the acceptor and of the dialer held, and what else a test notes. */
  let answered: (number | string)[];
  let asked: number[];

  beforeEach(async () => {
    sockets = socketPair();
    const many = stream(
      ({ output }) => {
        process.nextTick(() => answered.push('the frame was handled'));
        for (let item = 0; item < ITEMS; item++) output.send(bytes('item'));
        output.end();
      },
      0,
      2 * ITEMS,
    );
    const open = stream(
      ({ output }) => {
        for (let item = 0; item < CAPACITY; item++) output.send(bytes('item'));
      },
      0,
      CAPACITY,
    );
    const others = handlers();
    const find = (id: number) => (id === 70 ? many : id === 71 ? open : others.find(id));
    [caller] = await connect(sockets, ports(), ports({ handlers: { find } }));
    answered = [];
    asked = [];
    for (const [socket, counts] of [[sockets[0], asked], [sockets[1], answered]] as const) {
      const send = socket.send.bind(socket);
      jest.spyOn(socket, 'send').mockImplementation((frame, done) => {
        counts.push(messagesOf(frame).length);
        send(frame, done);
      });
    }
  });
  afterEach(async () => {
    caller.close(1000, 'done');
    await until(() => sockets.every(({ closed }) => closed));
  });

  it('the answer of many messages leaves when the frame is handled that asked for it', async () => {
    const call = caller.mux.openStream(init(70));
    await until(() => call.over);
    // the acknowledgement, which wakes the caller; then the items, the end and the goodbye
    expect(answered).toEqual([1, ITEMS + 2, 'the frame was handled']);
    expect(call.output.available).toBe(ITEMS);
  });

  it('credits that go back together leave in one frame, at once', async () => {
    const { output } = caller.mux.openStream(init(71));
    await until(() => output.available === CAPACITY);
    asked.length = 0;
    for (let taken = 1; taken < CAPACITY / 2; taken++) output.take();
    expect(asked).toEqual([]);
    output.take();
    expect(asked).toEqual([CAPACITY / 2]);
    await turn();
    expect(asked).toEqual([CAPACITY / 2]);
  });

  it('half as many messages as calls are open leave before the end of the turn', async () => {
    const hung: Promise<unknown>[] = [];
    const ask = (count: number): void => {
      for (let call = 0; call < count; call++) hung.push(errorOf(request(caller, 62)));
    };
    ask(8);
    await turn();
    ask(7);
    await turn();
    expect(asked).toEqual([1, 7, 1, 4, 2]);
    caller.close(1000, 'done');
    await Promise.all(hung);
  });
});
