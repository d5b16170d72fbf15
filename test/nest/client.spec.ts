import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Controller, Logger, NotFoundException } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { defineRequest, GridClient, GridContext, GridError, GridRecordBuilder, GridRequest } from 'nestjs-grid';
import { firstValueFrom, interval, lastValueFrom, take, tap, toArray, type Observable } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

const Double = defineRequest<number, number>({ id: 64, name: 'double' });
const told: unknown[] = [];
let unsubscribed = 0;

const THROWS = {
  text: () => new RpcException('said so'),
  object: () => new RpcException({ code: 17, message: 'an object' }),
  long: () => new RpcException('x'.repeat(6000)),
  forged: () => new RpcException(`no\r\n[Nest] 1 - LOG all is well\u001b[2J\u2028${'x'.repeat(1_000)}`),
  http: () => new NotFoundException('no such disk'),
  grid: () => new GridError('ALREADY_EXISTS', 'twice', { details: { key: 1 } }),
  foreign: () => new Error('the password is 1234'),
};

@Controller()
class Handlers {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload === undefined ? 'nothing' : payload;
  }

  @MessagePattern(61)
  ticks(@Ctx() context: GridContext): Observable<number> {
    context.signal.addEventListener('abort', () => unsubscribed++);
    return interval(1);
  }

  @MessagePattern(62)
  async *numbers(): AsyncGenerator<number> {
    for (let i = 0; i < 3; i++) yield i;
  }

  @MessagePattern(63)
  never(): Promise<never> {
    return new Promise(() => {});
  }

  @MessagePattern(66)
  metadata(@Ctx() context: GridContext): Record<string, string> {
    return { ...context.getMetadata() };
  }

  @GridRequest(Double)
  double(value: number): number {
    return value * 2;
  }

  @MessagePattern(67)
  throws(@Payload() what: keyof typeof THROWS): never {
    throw THROWS[what]();
  }

  @EventPattern('told')
  tell(@Payload() payload: unknown): void {
    told.push(payload);
  }
}

let pair: GridPair;
let client: GridClient;
beforeAll(async () => {
  pair = await gridPair({ metadata: { controllers: [Handlers] } });
  client = pair.caller.client(pair.peer.origin);
});
afterAll(() => pair.close());
afterEach(() => {
  jest.restoreAllMocks();
});

describe('send', () => {
  test('is cold, and calls anew for each subscription', async () => {
    const before = pair.caller.stats().peers[0]!;
    const answer = client.send(60, 'x');
    expect(pair.caller.stats().peers[0]).toMatchObject({ outgoing: before.outgoing });
    expect(await firstValueFrom(answer)).toBe('x');
    expect(await firstValueFrom(answer)).toBe('x');
  });

  test('takes no payload, undefined and null', async () => {
    expect(await firstValueFrom(client.send(60))).toBe('nothing');
    expect(await firstValueFrom(client.send(60, undefined))).toBe('nothing');
    expect(await firstValueFrom(client.send(60, null))).toBeNull();
  });

  test('unsubscribing cancels at the handler', async () => {
    expect(await lastValueFrom(client.send<number>(61).pipe(take(3), toArray()))).toEqual([0, 1, 2]);
    await until(() => unsubscribed === 1, 'the handler was told');
  });

  test('a contract types payload and answer', async () => {
    const doubled: number = await firstValueFrom(client.send(Double, 21));
    expect(doubled).toBe(42);
  });

  test('a record gives a timeout', async () => {
    const patient = new GridRecordBuilder('x').setTimeout(30_000).build();
    expect(await firstValueFrom(client.send(60, patient))).toBe('x');
    const hasty = new GridRecordBuilder('x').setTimeout(20).build();
    await expect(firstValueFrom(client.send(63, hasty))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  test('a record gives metadata, a dispatch hook what a trace needs', async () => {
    const record = new GridRecordBuilder('x').setMetadata({ user: 'ann' }).setMetadata({ id: '1' }).build();
    expect(await firstValueFrom(client.send(66, record))).toEqual({ user: 'ann', id: '1' });
    expect(() => new GridRecordBuilder('x').setMetadata(new Map([['user', 'ann']]) as never)).toThrow('of class Map');
    const traced = pair.caller.client(pair.peer.origin);
    traced.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: '00-1-2-01', user: 'hook' };
    });
    expect(await firstValueFrom(traced.send(66, 'x'))).toEqual({ traceparent: '00-1-2-01', user: 'hook' });
    expect(await firstValueFrom(traced.send(66, record))).toEqual({ traceparent: '00-1-2-01', user: 'ann', id: '1' });
  });
});

describe('emit', () => {
  test('is sent without a subscriber, and completes when the peer has it', async () => {
    client.emit('told', 1);
    await lastValueFrom(client.emit('told', 2));
    await until(() => told.length === 2, 'both are there');
    expect(told).toEqual([1, 2]);
  });

  test('a failure is logged if nobody is subscribed, else given to who is', async () => {
    const errors: string[] = [];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((text: unknown) => void errors.push(String(text)));
    client.emit('nobody', 1);
    await until(() => errors.length > 0, 'it is logged');
    expect(errors).toEqual([expect.stringMatching(/^event "nobody" to http.*UNIMPLEMENTED/)]);
    await expect(lastValueFrom(client.emit('nobody', 1))).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    expect(errors).toHaveLength(1);
    // JSON has no form for it
    client.emit({ cmd: 'nobody', size: 1n }, 1);
    await until(() => errors.length > 1, 'it is logged');
    expect(errors[1]).toMatch(/^event \{ cmd: 'nobody', size: 1n \} to http.*UNIMPLEMENTED/);
    // the text of the peer is told in one line, and not at any length
    client.emit(67, 'forged');
    await until(() => errors.length > 2, 'it is logged');
    expect(errors[2]).toMatch(/^event 67 to http\S+: UNKNOWN: no \[Nest\] 1 - LOG all is well \[2J x+…$/);
    expect(errors[2]!.length).toBeLessThan(700);
  });

  test('a peer that takes none makes 20 lines in an hour, however many events and clients there are', async () => {
    const away = await gridPair();
    const errors: string[] = [];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((text: unknown) => void errors.push(String(text)));
    const { origin } = away.peer;
    for (let i = 0; i < 100; i++) away.caller.client(origin).emit(`lost ${i}`, i);
    // behind all of these
    await expect(lastValueFrom(away.caller.client(origin).emit('last', 1))).rejects.toThrow();
    await away.close();
    expect(errors).toHaveLength(20);
    expect(errors[0]).toMatch(/^event "lost 0" to /);
    expect(errors[19]).toMatch(/^event "lost 19" to .* \(no more lines of this sort for up to an hour\)$/);
  });
});

describe('errors', () => {
  const said = { status: 'error', message: 'said so' };
  const object = { code: 17, message: 'an object' };
  const missing = { statusCode: 404, message: 'no such disk', error: 'Not Found' };
  test.each([
    ['text', said, { code: 'UNKNOWN', message: 'said so', details: said }],
    ['object', object, { code: 'UNKNOWN', message: 'an object', details: object }],
    ['http', undefined, { code: 'NOT_FOUND', message: 'no such disk', details: missing }],
    ['grid', undefined, { code: 'ALREADY_EXISTS', message: 'twice', details: { key: 1 } }],
    ['foreign', undefined, { code: 'INTERNAL', message: 'Internal server error', details: undefined }],
  ])('%s: through the grid a GridError, through ClientProxy Nest’s plain object', async (what, plain, error) => {
    const facts = { ...error, remote: true, notSent: false, peer: pair.peer.origin };
    const ofGrid: unknown = await pair.peer.request(67, what).catch((thrown: unknown) => thrown);
    expect(ofGrid).toBeInstanceOf(GridError);
    expect(ofGrid).toMatchObject(facts);
    const ofClient: unknown = await firstValueFrom(client.send(67, what)).catch((thrown: unknown) => thrown);
    if (plain) expect(ofClient).toEqual(plain);
    else expect(ofClient).toMatchObject(facts);
    expect(ofClient instanceof Error).toBe(plain === undefined);
  });
});

test('an RpcException that is too long to be sent whole leaves its text, cut, and says so', async () => {
  const error: unknown = await firstValueFrom(client.send(67, 'long')).catch((thrown: unknown) => thrown);
  expect(error).toEqual({
    status: 'error',
    message: expect.stringMatching(/^x{4000}/),
    omitted: expect.stringMatching(/^details of 6,0\d\d bytes: /),
  });
});

describe('the rest of ClientProxy', () => {
  test('status, on, a dispatch hook', async () => {
    const states: string[] = [];
    client.on('connected', () => states.push('connected'));
    expect(await firstValueFrom(client.status)).toBe('connected');
    expect(states).toEqual(['connected']);
    const patterns: unknown[] = [];
    client.setOnDispatchHook((packet) => void patterns.push(packet.pattern));
    await firstValueFrom(client.send(62).pipe(tap()));
    expect(patterns).toEqual([62]);
  });

  test('a record that was not built is not sent as it is', async () => {
    const warned = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const unbuilt = new GridRecordBuilder(1).setTimeout(500);
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('its build() gives'), notSent: true };
    await expect(firstValueFrom(client.send(60, unbuilt))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(client.emit('told', unbuilt))).rejects.toMatchObject(refused);
    expect(warned).toHaveBeenCalledTimes(1);
  });

  test('options without a host are refused', () => {
    for (const options of [undefined, {}, { peer: '' }] as never[]) {
      expect(() => new GridClient(options)).toThrow('it must be the origin of a host');
    }
  });

  test('an unknown host is refused where the client is made', () => {
    expect(() => pair.caller.client('http://nowhere:1')).toThrow(/not one of the hosts/);
  });
});
