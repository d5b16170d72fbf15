import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GridError, isDisconnected, TEXT } from '../../lib/errors/index.js';
import type { Connection } from '../../lib/connection/index.js';
import { CREDIT_DELAY_MS } from '../../lib/mux/inbound.js';
import type { HandlerStream, IncomingRequest, Outbound } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { CloseCode } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { connect, errorOf, handlers, LIMITS, ports, request, type PortsInit } from './grid-end.js';
import { WIRES, type Link } from './wires.js';

describe.each(WIRES)('a connection $name', (wire) => {
  let link: Link;
  let clock: ManualClock;
  let dialer: Connection;
  let acceptor: Connection;

  const open = async (dialerInit: PortsInit = {}, acceptorInit: PortsInit = {}): Promise<void> => {
    [dialer, acceptor] = await connect(
      [link.dialer, link.acceptor],
      ports({ clock, ...dialerInit }),
      ports({ clock, ...acceptorInit }),
    );
  };

  beforeEach(async () => {
    clock = new ManualClock();
    link = await wire.open();
  });
  afterEach(async () => {
    dialer.close(CloseCode.Normal, 'the test is over');
    await until(() => link.closed);
    await until(() => dialer.closed !== undefined && acceptor.closed !== undefined);
    expect([dialer.mux.outgoing, acceptor.mux.outgoing, dialer.mux.incoming, acceptor.mux.incoming]).toEqual([
      0, 0, 0, 0,
    ]);
    expect([dialer.queuedMessages, acceptor.queuedMessages, dialer.queuedBytes, acceptor.queuedBytes]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(clock.timers).toBe(0);
    await link.dispose();
  });

  it('carries calls both ways', async () => {
    await open();
    const answers = await Promise.all([
      request(dialer, 60, Buffer.from('down')),
      request(acceptor, 60, Buffer.from('up')),
    ]);
    expect(answers.map(String)).toEqual(['down', 'up']);
    await until(() => acceptor.queuedMessages + dialer.queuedMessages === 0);
  });

  it('answers that are given all at once fail one by one where they are too many; the connection stays', async () => {
    const held: IncomingRequest[] = [];
    const handler = { onRequest: (call: IncomingRequest) => void held.push(call), inCapacity: 0, outCapacity: 1 };
    const limits = { queuedBytes: 400_000 };
    await open({}, { limits, handlers: { find: (id) => (id === 70 ? handler : handlers().find(id)) } });
    const calls = Array.from({ length: 20 }, () => request(dialer, 70));
    await until(() => held.length === 20);
    for (const call of held) call.respond(Buffer.alloc(100_000));
    const outcomes = await Promise.allSettled(calls);
    const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as GridError] : []));
    // what the socket takes at once depends on it; the queue takes six
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThanOrEqual(14);
    for (const error of failed) expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await request(dialer, 60, Buffer.from('still here'))).toEqual(Buffer.from('still here'));
  });

  it('credits of what was taken while a frame was read go back a moment later', async () => {
    const streams: HandlerStream[] = [];
    const handler = { onStream: (call: HandlerStream) => void streams.push(call), inCapacity: 0, outCapacity: 64 };
    await open({}, { handlers: { find: (id) => (id === 70 ? handler : undefined) } });
    const taken: number[] = [];
    const openStream = (): void => {
      const init = { handler: 70, subroute: undefined, payload: undefined, timeoutMs: 1_000, input: false };
      const { output } = dialer.mux.openStream({ ...init, inCapacity: undefined, outCapacity: undefined });
      output.onReady = () => {
        for (let item = output.take(); item; item = output.take()) taken.push(item.length);
      };
    };
    openStream();
    openStream();
    await until(() => streams.length === 2);
    const [lasting, short] = streams.map(({ output }) => output) as [Outbound, Outbound];
    const setTimer = jest.spyOn(clock, 'setTimer');
    const creditTimers = (): number => setTimer.mock.calls.filter(([delayMs]) => delayMs <= CREDIT_DELAY_MS).length;
    // the first message of a turn goes alone, the others in one frame
    const sendInOneFrame = async (...payloads: Uint8Array[]): Promise<void> => {
      const answered = request(acceptor, 60);
      for (const payload of payloads) short.send(payload);
      short.end();
      await answered;
    };
    await sendInOneFrame(new Uint8Array(1), new Uint8Array(2), new Uint8Array(3));
    expect([taken, creditTimers()]).toEqual([[1, 2, 3], 0]);
    for (let sent = 0; sent < 5; sent++) lasting.send(new Uint8Array(4));
    await until(() => taken.length === 8);
    await until(() => creditTimers() > 0);
    expect(lasting.credits).toBe(59);
    clock.advance(CREDIT_DELAY_MS);
    await until(() => lasting.credits === 64);
    lasting.end();
    await until(() => dialer.mux.outgoing === 0);
  });

  it('answers 2,000 requests of one turn in the order in which they were made', async () => {
    await open();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 2_000 }, async (_, index) => {
        const payload = Buffer.from(String(index));
        expect(Buffer.from((await request(dialer, 60, payload)) ?? [])).toEqual(payload);
        order.push(index);
      }),
    );
    expect(order).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
  });

  it('carries payloads of every size up to the cap, mixed', async () => {
    await open();
    const sizes = [
      0,
      1,
      185,
      186,
      230,
      255,
      256,
      300,
      4_096,
      65_400,
      65_456,
      65_520,
      65_536,
      70_000,
      1_048_576,
      LIMITS.messageBytes,
    ];
    await Promise.all(
      [...sizes, ...sizes.toReversed().slice(1)].map(async (size, index) => {
        const answer = await request(dialer, 60, Buffer.alloc(size, index));
        // an empty request arrives as "none" (wire spec §5)
        expect(Buffer.compare(answer ?? Buffer.alloc(0), Buffer.alloc(size, index))).toBe(0);
      }),
    );
  });

  it('a cut ends all calls and handlers at once, at both ends', async () => {
    const hanging = handlers();
    await open({}, { handlers: hanging });
    const ends: string[] = [];
    dialer.onClosed = () => ends.push('dialer');
    acceptor.onClosed = () => ends.push('acceptor');
    const calls = Array.from({ length: 100 }, () => errorOf(request(dialer, 62)));
    await until(() => hanging.hung.length === 100);
    let aborted = 0;
    for (const call of hanging.hung) call.onAbort = () => aborted++;
    link.cut();
    const errors = await Promise.all(calls);
    await until(() => ends.length === 2);
    expect(
      errors.every((error) => isDisconnected(error) && error.message === TEXT.disconnected && !error.notSent),
    ).toBe(true);
    expect(aborted).toBe(100);
    expect(clock.timers).toBe(0);
    for (const call of hanging.hung) call.fail(new GridError('CANCELLED', 'late'));
    expect(acceptor.mux.running).toBe(0);
  });

  it('a clean close tells the peer code and reason, after what was sent', async () => {
    await open();
    const got: unknown[] = [];
    acceptor.onClosed = (error, code) => got.push(error.message, code, acceptor.mux.outgoing);
    const answer = request(acceptor, 60, Buffer.from('x'));
    await answer;
    dialer.close(CloseCode.Replaced, 'replaced');
    expect(dialer.closed?.message).toBe('closed: replaced');
    expect([dialer.closeCode, acceptor.closeCode]).toEqual([4001, undefined]);
    await until(() => got.length > 0);
    expect(acceptor.closeCode).toBe(4001);
    expect(got).toEqual(['the socket was closed: 4001 replaced', 4001, 0]);
  });

  it('calls on a closed connection fail at once, a ping too', async () => {
    await open();
    dialer.close(CloseCode.GoingAway, 'shutdown');
    expect(() =>
      dialer.mux.openRequest(
        { handler: 60, subroute: undefined, payload: undefined, timeoutMs: undefined },
        {
          onResponse() {},
          onError() {},
        },
      ),
    ).toThrow(TEXT.disconnected);
    expect(await errorOf(dialer.ping())).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
  });

  it('B39 a text frame ends it with 1002', async () => {
    await open();
    const codes: number[] = [];
    dialer.onClosed = (_, code) => codes.push(code);
    link.sendTextToAcceptor();
    await until(() => codes.length > 0);
    expect(codes).toEqual([1002]);
    expect(acceptor.closed).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'protocol', message: 'a text frame' });
  });

  it('B04 a peer that stops reading: calls end when no write gets on, long before their deadline', async () => {
    await open();
    link.stallAcceptor();
    // more than every buffer on the way holds
    const calls = Array.from({ length: 24 }, () => errorOf(request(dialer, 60, Buffer.alloc(1024 * 1024))));
    await turn();
    for (let look = 0; look < 8 && !dialer.closed; look++) {
      const before = dialer.queuedBytes;
      clock.advance(1_000);
      // what the system still takes is progress
      await until(() => dialer.queuedBytes <= before);
    }
    expect(dialer.closed?.message).toMatch(/^no write finished for 4000 ms with \d+ bytes in flight$/);
    const errors = await Promise.all(calls);
    expect(errors.every(isDisconnected)).toBe(true);
    // never handed to the socket: safe to retry
    expect(errors.at(-1)?.notSent).toBe(true);
    expect(errors[0]?.notSent).toBe(false);
    link.cut();
  });
});
