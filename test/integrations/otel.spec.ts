import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  context,
  diag,
  DiagLogLevel,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type SpanStatus,
} from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { GridError, GridManager, type CallContext, type GridPeer } from 'nestjs-grid/core';
import { traceGrid } from 'nestjs-grid/otel';
import { firstValueFrom, of, take, toArray } from 'rxjs';
import { freeHosts } from '../ports.js';
import { LogBook, SECRET } from '../nest/test-app.js';

interface SpanSummary {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly attributes: Attributes;
  readonly status: SpanStatus;
  readonly exceptions: readonly string[];
}

/** Longer than a span takes to end. */
const HANG_BUDGET_MS = 30_000;

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('the test');

let grid: GridManager;
let host: string;
let local: string;
/** The host in another process; its spans are those of both ends. */
let peer: GridPeer;
let child: ChildProcess;
let stopTracing: () => void;

beforeAll(async () => {
  provider.register();
  [local, host] = (await freeHosts(2)) as [string, string];
  const script = join(import.meta.dirname, 'traced-host.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', GRID_SECRET: SECRET };
  child = spawn(process.execPath, [script, host, local, host], { env, stdio: ['pipe', 'inherit', 'inherit'] });
  grid = new GridManager({
    local,
    hosts: [local, host],
    auth: { secret: SECRET },
    intervals: { redialMs: 50 },
    logger: new LogBook(),
  });
  stopTracing = traceGrid(grid);
  grid.handle(64, {}, (payload: unknown) => payload);
  await grid.listen();
  await grid.start();
  peer = grid.peer(host);
  await peer.waitForConnect({ timeoutMs: 30_000 });
}, 60_000);

afterAll(async () => {
  child.stdin?.end();
  await grid.close();
  await provider.shutdown();
});

afterEach(() => exporter.reset());

function finished(): SpanSummary[] {
  return exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    ...(span.parentSpanContext && { parent: span.parentSpanContext.spanId }),
    attributes: span.attributes,
    status: span.status,
    exceptions: span.events.map((event) => String(event.attributes?.['exception.message'])),
  }));
}

/**
 * Makes calls inside of one span; gives that trace's spans of both processes, once `count` have ended beside those of
 * steps.
 */
async function traceOf(count: number, calls: () => Promise<unknown>): Promise<SpanSummary[]> {
  const root = tracer.startSpan('root');
  const { traceId } = root.spanContext();
  await context.with(trace.setSpan(context.active(), root), calls);
  root.end();
  const giveUpAt = performance.now() + HANG_BUDGET_MS;
  for (;;) {
    const remote = await peer.request<SpanSummary[]>(99);
    const spans = [...finished(), ...remote].filter((span) => span.traceId === traceId);
    if (spans.filter(({ name }) => name !== 'inside next').length >= count) return spans;
    if (performance.now() > giveUpAt) throw new Error(`only ${spans.map(({ name }) => name).join(', ')}`);
  }
}

function only(spans: readonly SpanSummary[], name: string, kind?: SpanKind): SpanSummary {
  const found = spans.filter((span) => span.name === name && (kind === undefined || span.kind === kind));
  expect(found).toHaveLength(1);
  return found[0]!;
}

function address(role: 'server' | 'client', origin: string): Attributes {
  return { [`${role}.address`]: '127.0.0.1', [`${role}.port`]: Number(new URL(origin).port) };
}

describe('a trace over two processes', () => {
  test('a request: client and server span, the handler inside', async () => {
    const spans = await traceOf(4, () => peer.request(60, 'x'));
    const root = only(spans, 'root');
    const client = only(spans, 'grid 60', SpanKind.CLIENT);
    const server = only(spans, 'grid 60', SpanKind.SERVER);
    const inside = only(spans, 'inside answer');
    expect([client.parent, server.parent, inside.parent]).toEqual([root.spanId, client.spanId, server.spanId]);
    const rpc = { 'rpc.system': 'nestjs_grid', 'rpc.method': '60' };
    expect(client.attributes).toEqual({ ...rpc, ...address('server', host) });
    expect(server.attributes).toEqual({ ...rpc, ...address('client', local) });
    expect([client.status.code, server.status.code]).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET]);
  });

  test('a stream: its spans end with it, each step and the teardown run inside', async () => {
    const spans = await traceOf(4, async () => {
      let values = 0;
      for await (const _ of peer.stream<number>(61, 100)) {
        // no more than 32 messages are under way: the stream cannot be over yet
        if (++values < 60) expect(finished().filter(({ name }) => name === 'grid 61')).toEqual([]);
      }
      expect(values).toBe(100);
    });
    const server = only(spans, 'grid 61', SpanKind.SERVER);
    expect(server.parent).toBe(only(spans, 'grid 61', SpanKind.CLIENT).spanId);
    const steps = spans.filter(({ name }) => name.startsWith('inside'));
    expect(steps.map(({ name }) => name)).toEqual([...Array<string>(100).fill('inside next'), 'inside finally']);
    expect(new Set(steps.map(({ parent }) => parent))).toEqual(new Set([server.spanId]));
    expect(server.status.code).toBe(SpanStatusCode.UNSET);
  });

  test('a stream that the caller leaves: ended at both ends, nobody failed, the teardown inside', async () => {
    const spans = await traceOf(4, async () => {
      for await (const _ of peer.stream(61, 1e6)) break;
    });
    const server = only(spans, 'grid 61', SpanKind.SERVER);
    const client = only(spans, 'grid 61', SpanKind.CLIENT);
    expect(only(spans, 'inside finally').parent).toBe(server.spanId);
    for (const { status, attributes, exceptions } of [client, server]) {
      expect(status.code).toBe(SpanStatusCode.UNSET);
      expect(attributes).toMatchObject({ 'rpc.response.status_code': 'CANCELLED' });
      expect(exceptions).toEqual([]);
    }
  });

  test('send: one answer, many, and as many as were wanted', async () => {
    const one = await traceOf(4, () => firstValueFrom(peer.send(60, 'x')));
    expect(only(one, 'grid 60', SpanKind.SERVER).parent).toBe(only(one, 'grid 60', SpanKind.CLIENT).spanId);
    const many = await traceOf(4, () => firstValueFrom(peer.send(61, 3).pipe(toArray())));
    expect(only(many, 'inside finally').parent).toBe(only(many, 'grid 61', SpanKind.SERVER).spanId);
    const some = await traceOf(4, () => firstValueFrom(peer.send(61, 1e6).pipe(take(1))));
    expect(only(some, 'grid 61', SpanKind.CLIENT).status.code).toBe(SpanStatusCode.UNSET);
  });

  test('an event: producer and consumer, with the attributes of messaging', async () => {
    const spans = await traceOf(4, () => peer.emit('user.created', { id: 1 }));
    const producer = only(spans, 'send user.created', SpanKind.PRODUCER);
    const consumer = only(spans, 'process user.created', SpanKind.CONSUMER);
    expect(consumer.parent).toBe(producer.spanId);
    expect(only(spans, 'inside event').parent).toBe(consumer.spanId);
    const messaging = { 'messaging.system': 'nestjs_grid', 'messaging.destination.name': 'user.created' };
    expect(producer.attributes).toEqual({
      ...messaging,
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'emit',
      ...address('server', host),
    });
    expect(consumer.attributes).toEqual({
      ...messaging,
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      ...address('client', local),
    });
  });

  test('an error: status and code at both ends, what was thrown at the handler only', async () => {
    const spans = await traceOf(3, () => expect(peer.request(62)).rejects.toMatchObject({ code: 'INTERNAL' }));
    const client = only(spans, 'grid 62', SpanKind.CLIENT);
    const server = only(spans, 'grid 62', SpanKind.SERVER);
    const internal = { code: SpanStatusCode.ERROR, message: 'Internal server error' };
    expect([client.status, server.status]).toEqual([internal, internal]);
    const code = { 'rpc.response.status_code': 'INTERNAL', 'error.type': 'INTERNAL' };
    expect([client.attributes, server.attributes]).toEqual([
      expect.objectContaining(code),
      expect.objectContaining(code),
    ]);
    expect(server.exceptions).toEqual(['broken']);
    expect(client.exceptions).toEqual(['Internal server error']);
  });

  test('of the text of an error no more than a log would have: it may repeat a message of megabytes', async () => {
    const spans = await traceOf(3, () => expect(peer.request(62, 'x'.repeat(2 ** 20))).rejects.toThrow());
    const server = only(spans, 'grid 62', SpanKind.SERVER);
    expect(server.exceptions).toEqual([expect.stringMatching(/^x{4096} … 1040384 characters left out … x{4096}$/)]);
  });

  test.each([
    ['calls back', 63],
    ['calls back with its context as parent, outside of its async context', 65],
  ])('a handler that %s: one chain through both processes', async (_name, id) => {
    const spans = await traceOf(5, () => peer.request(id, local));
    const chain = [
      only(spans, 'root'),
      only(spans, `grid ${id}`, SpanKind.CLIENT),
      only(spans, `grid ${id}`, SpanKind.SERVER),
      only(spans, 'grid 64', SpanKind.CLIENT),
      only(spans, 'grid 64', SpanKind.SERVER),
    ];
    expect(chain.slice(1).map(({ parent }) => parent)).toEqual(chain.slice(0, -1).map(({ spanId }) => spanId));
  });
});

describe('in one process', () => {
  test('a call that never left has its error too', async () => {
    expect(() => peer.stream(61, 1, { inCapacity: -1 })).toThrow('inCapacity');
    await expect(peer.request(0)).rejects.toThrow('handler ID 0');
    await expect(peer.request(60, 1, { timeoutMs: 0 })).rejects.toThrow(GridError);
    expect(finished().map(({ name, status }) => [name, status.code])).toEqual([
      ['grid 61', SpanStatusCode.ERROR],
      ['grid 60', SpanStatusCode.ERROR],
    ]);
  });

  test('a call that an inner interceptor throws away has its error too', async () => {
    const refuse = (): never => {
      throw new GridError('PERMISSION_DENIED', 'not here');
    };
    const forget = grid.intercept({ request: refuse, stream: refuse, send: refuse });
    await expect(firstValueFrom(peer.send(60, 'x'))).rejects.toThrow('not here');
    await expect(peer.request(60, 'x')).rejects.toThrow('not here');
    expect(() => peer.stream(61, 1)).toThrow('not here');
    forget();
    expect(finished().map(({ name, status }) => [name, status])).toEqual(
      ['grid 60', 'grid 60', 'grid 61'].map((name) => [name, { code: SpanStatusCode.ERROR, message: 'not here' }]),
    );
  });

  test('an error none of whose parts is a string reaches its caller as it is, and its span ends', async () => {
    const odd = Object.assign(new Error(), { message: ['a', 'b'], name: 5, stack: null, code: { of: 'others' } });
    const forget = grid.intercept({ request: () => Promise.reject(odd) });
    await expect(peer.request(60, 'x')).rejects.toBe(odd);
    forget();
    expect(finished().map(({ name, status, exceptions }) => [name, status.message, exceptions])).toEqual([
      ['grid 60', 'a,b', ['a,b']],
    ]);
  });

  test('a refusal that is not the handler’s fault leaves its span without an error', async () => {
    const remove = grid.handle(70, {}, () => {
      throw new GridError('NOT_FOUND', 'no such thing');
    });
    await expect(grid.peer(local).request(70)).rejects.toThrow('no such thing');
    remove();
    const [server, client] = finished();
    expect([server!.kind, server!.status.code, client!.status.code]).toEqual([
      SpanKind.SERVER,
      SpanStatusCode.UNSET,
      SpanStatusCode.ERROR,
    ]);
  });

  test.each(['onStart', 'onEnd'] as const)('no call fails by what a processor throws: %s', async (when) => {
    const processor = { onStart() {}, onEnd() {}, shutdown: async () => {}, forceFlush: async () => {} };
    processor[when] = () => {
      throw new Error('no room for spans');
    };
    const told: unknown[] = [];
    const write = (text: string, error?: unknown): unknown => told.push([text, String(error)]);
    diag.setLogger({ error: write, warn: write, info: write, debug: write, verbose: write }, DiagLogLevel.ERROR);
    const name = 'http://alone';
    const log = new LogBook();
    const alone = new GridManager({ local: name, hosts: [name], auth: { secret: SECRET }, logger: log });
    traceGrid(alone, { tracerProvider: new NodeTracerProvider({ spanProcessors: [processor] }) });
    alone.handle(60, {}, () => 1);
    alone.handle(61, { kind: 'stream' }, () => of(1, 2));
    alone.handle(62, { kind: 'event' }, () => {});
    await alone.start();
    const self = alone.peer(name);
    expect(await self.request(60)).toBe(1);
    expect(await firstValueFrom(self.send(60))).toBe(1);
    expect(await firstValueFrom(self.stream(61).toObservable().pipe(toArray()))).toEqual([1, 2]);
    await self.emit(62);
    await alone.close();
    diag.disable();
    expect(log.errors).toEqual([]);
    // each call at both of its ends
    const line = ['nestjs-grid: a call is not traced', 'Error: no room for spans'];
    expect(told).toEqual(Array.from({ length: 8 }, () => line));
  });

  test('an address of version 6 has no brackets: the port stands beside it', async () => {
    const name = 'http://[::1]:9000';
    const alone = new GridManager({ local: name, hosts: [name], auth: { secret: SECRET }, logger: new LogBook() });
    traceGrid(alone);
    alone.handle(60, {}, () => 1);
    await alone.start();
    await alone.peer(name).request(60);
    const [server, client] = finished().map(({ attributes }) => attributes);
    expect(server).toMatchObject({ 'client.address': '::1', 'client.port': 9_000 });
    expect(client).toMatchObject({ 'server.address': '::1', 'server.port': 9_000 });
    await alone.close();
  });

  test('a call joins the trace of its parent where the async context was lost', async () => {
    const remove = grid.handle(70, {}, (_payload: unknown, parent: CallContext) =>
      context.with(trace.deleteSpan(context.active()), () => grid.peer(local).request(64, 1, { parent })),
    );
    await grid.peer(local).request(70);
    remove();
    const spans = finished();
    expect(only(spans, 'grid 64', SpanKind.CLIENT).parent).toBe(only(spans, 'grid 70', SpanKind.SERVER).spanId);
  });

  test('a host that does not trace hands the trace of the parent on', async () => {
    stopTracing();
    const seen: unknown[] = [];
    const remove = [
      grid.handle(70, {}, (_payload: unknown, parent: CallContext) => grid.peer(local).request(71, 1, { parent })),
      grid.handle(71, {}, (_payload: unknown, call: CallContext) => void seen.push({ ...call.getMetadata() })),
    ];
    const traceContext = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', baggage: 'a=b' };
    await grid.peer(local).request(70, 1, { traceContext, metadata: { tenant: 'not handed on' } });
    for (const forget of remove) forget();
    expect(seen).toEqual([traceContext]);
    expect(finished()).toEqual([]);
    stopTracing = traceGrid(grid);
  });
});
