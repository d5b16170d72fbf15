import { describe, expect, it, jest } from '@jest/globals';
import { guardedSocket } from '../../lib/connection/guarded-socket.js';
import type { MessageSocket, MessageSocketListener } from '../../lib/connection/index.js';
import { GridError } from '../../lib/errors/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { joined } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { connect, errorOf, ports, request } from './grid-end.js';

/** What a method of a socket does that keeps no promise. */
const broken = (): never => {
  throw new Error('broken');
};

const FAULT = new GridError('UNAVAILABLE', 'enough');

describe('a connection over a socket of the application', () => {
  it.each<[string, Partial<MessageSocket>, 1000 | 1006]>([
    ['close() throws', { close: broken }, 1000],
    ['terminate() throws', { terminate: broken }, 1006],
    ['close() and terminate() throw', { close: broken, terminate: broken }, 1000],
    ['methods all throw', { send: broken, close: broken, terminate: broken }, 1006],
  ])('whose %s: its calls end at once, and nothing of it is left', async (_, methods, code) => {
    const clock = new ManualClock();
    const [inner, theirs] = socketPair();
    const [dialer, acceptor] = await connect([guardedSocket(inner), theirs], ports({ clock }), ports({ clock }));
    const ends: number[] = [];
    dialer.onClosed = (_error, closeCode) => ends.push(closeCode);
    const [ours, other] = [errorOf(request(dialer, 62)), errorOf(request(acceptor, 62))];
    await until(() => acceptor.mux.running === 1 && dialer.mux.running === 1);
    Object.assign(inner, methods);
    if (code === 1000) dialer.close(code, 'enough');
    else dialer.abort(FAULT, code);
    expect((await ours).code).toBe('UNAVAILABLE');
    expect([dialer.mux.outgoing, dialer.mux.incoming, ends]).toEqual([0, 0, [code]]);
    clock.advance(1_000);
    inner.cut();
    expect((await other).code).toBe('UNAVAILABLE');
    await turn();
    expect([ends, clock.timers]).toEqual([[code], 0]);
  });

  it('may make calls inside send: each has its own answer', async () => {
    const [inner, theirs] = socketPair();
    const [dialer, acceptor] = await connect([guardedSocket(inner), theirs], ports(), ports());
    const asked: Promise<unknown>[] = [];
    const ask = (bytes: number): void => {
      const payload = Buffer.alloc(bytes, asked.length);
      asked.push(request(dialer, 60, payload).then((answer) => expect(Buffer.from(answer!)).toEqual(payload)));
    };
    const { send } = inner;
    inner.send = (frame, done) => {
      // of its own answers too, but not for ever
      if (frame.length > 5_000 && asked.length < 200) ask(10);
      send.call(inner, frame, done);
    };
    for (let calls = 0; calls < 40; calls++) ask(9_000);
    await until(() => dialer.mux.outgoing === 0);
    await Promise.all(asked);
    expect(asked.length).toBeGreaterThan(45);
    acceptor.close(1000, 'enough');
  });

  it('may answer inside send: the call knows of itself by then', async () => {
    const clock = new ManualClock();
    const [inner, theirs] = socketPair();
    const [dialer, acceptor] = await connect([guardedSocket(inner), theirs], ports({ clock }), ports({ clock }));
    const listener = Reflect.get(inner, 'listener') as MessageSocketListener;
    const { send } = inner;
    inner.send = (frame, done) => {
      send.call(inner, frame, done);
      listener.onClose(1006, 'gone while it was written');
      listener.onFrame(Buffer.from('after the end'));
    };
    const call = errorOf(request(dialer, 60));
    expect(dialer.mux.outgoing).toBe(1);
    expect((await call).code).toBe('UNAVAILABLE');
    expect([dialer.mux.outgoing, dialer.closed?.message]).toEqual([
      0,
      'the socket was closed: 1006 gone while it was written',
    ]);
    inner.cut();
    await until(() => acceptor.closed !== undefined);
    expect(clock.timers).toBe(0);
  });
});

/** A socket whose other end is the test. */
class Fake implements MessageSocket {
  readonly remoteAddress = 'fake';
  listener!: MessageSocketListener;
  onSend: (done: (error?: Error) => void) => void = (done) => done();

  listen(listener: MessageSocketListener): void {
    this.listener = listener;
  }
  send(_frame: Uint8Array, done: (error?: Error) => void): void {
    this.onSend(done);
  }
  close(): void {}
  terminate(): void {}
}

/** A guarded fake, and what its listener is told, in order. */
function guarded(): { fake: Fake; socket: MessageSocket; told: unknown[] } {
  const fake = new Fake();
  const told: unknown[] = [];
  const socket = guardedSocket(fake);
  socket.listen({
    onFrame: (frame) => told.push(Buffer.from(joined(frame)).toString()),
    onViolation: (code) => told.push(code),
    onClose: (code, reason) => told.push([code, reason]),
  });
  return { fake, socket, told };
}

describe('a guarded socket', () => {
  it('delivers what came inside send when that is over, in order, and nothing after the end', async () => {
    const { fake, socket, told } = guarded();
    fake.listener.onFrame(Buffer.from('1'));
    fake.onSend = (done) => {
      fake.listener.onFrame(Buffer.from('2'));
      done();
      fake.listener.onViolation(1002, '');
    };
    socket.send(new Uint8Array(1), () => told.push('done'));
    expect(told).toEqual(['1', 'done']);
    fake.listener.onFrame(Buffer.from('3'));
    fake.listener.onClose(1000, 'bye');
    fake.listener.onFrame(Buffer.from('4'));
    fake.listener.onClose(1006, '');
    expect(told).toEqual(['1', 'done']);
    await turn();
    expect(told).toEqual(['1', 'done', '2', 1002, '3', [1000, 'bye']]);
  });

  it('goes on with what waits behind an event whose listener threw', () => {
    const { fake, socket, told } = guarded();
    const later = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {});
    try {
      fake.onSend = () => {
        for (const event of ['1', '2']) fake.listener.onFrame(Buffer.from(event));
      };
      socket.send(new Uint8Array(1), () => {});
      const push = jest.spyOn(told, 'push').mockImplementationOnce(broken);
      const [[deliver]] = later.mock.calls as [[() => void]];
      expect(deliver).toThrow('broken');
      push.mockRestore();
      fake.listener.onFrame(Buffer.from('3'));
      expect([told, later.mock.calls.length]).toEqual([[], 2]);
      later.mock.calls[1]![0]();
      expect(told).toEqual(['2', '3']);
      fake.listener.onFrame(Buffer.from('4'));
      expect(told).toEqual(['2', '3', '4']);
    } finally {
      later.mockRestore();
    }
  });

  it('tells once that a write is done, whatever the socket says of it', async () => {
    const { fake, socket } = guarded();
    const done: (string | undefined)[] = [];
    fake.onSend = (written) => {
      written();
      written(new Error('twice'));
      broken();
    };
    socket.send(new Uint8Array(1), (error) => done.push(error?.message));
    fake.onSend = broken;
    socket.send(new Uint8Array(1), (error) => done.push(error?.message));
    await turn();
    expect(done).toEqual([undefined, 'broken']);
  });

  it.each(['listen', 'terminate'] as const)('whose %s() throws counts as closed', async (method) => {
    const fake = new Fake();
    const socket = guardedSocket(Object.assign(fake, { [method]: broken }));
    const told: unknown[] = [];
    socket.listen({ onFrame() {}, onViolation() {}, onClose: (code, reason) => told.push([code, reason]) });
    if (method === 'terminate') socket.terminate();
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual([[1006, 'broken']]);
  });
});
