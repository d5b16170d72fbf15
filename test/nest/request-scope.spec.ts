import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory, type ContextId, type HostComponentInfo } from '@nestjs/core';
import { CONTEXT, EventPattern, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { GridContext, GridInput, GridStream } from 'nestjs-grid';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

const events: string[] = [];

@Injectable({ scope: Scope.REQUEST })
class PerCall {
  static made = 0;
  readonly number = ++PerCall.made;
  constructor(@Inject(CONTEXT) readonly call: RequestContext<string, GridContext>) {}
}

@Injectable({ scope: Scope.REQUEST, durable: true })
class PerTenant {
  static made = 0;
  readonly number = ++PerTenant.made;
  constructor(@Inject(CONTEXT) readonly tenant: { tenant: string }) {}
}

@Controller()
class Scoped {
  constructor(private readonly perCall: PerCall) {}

  @MessagePattern(1)
  value(@Payload() payload: string): unknown {
    return [this.perCall.number, this.perCall.call.getData() === payload, this.perCall.call.getContext().getPattern()];
  }

  @GridStream(2, { inCapacity: 2 })
  async *stream(@Payload() _: string, @GridInput() input: AsyncIterable<string>): AsyncGenerator {
    for await (const message of input) yield [this.perCall.number, message, this.perCall.call.getData()];
  }

  @EventPattern('told')
  told(@Payload() _: string): void {
    events.push(`${this.perCall.call.getData()} to ${this.perCall.number}`);
  }
}

@Controller()
class Tenants {
  constructor(private readonly perTenant: PerTenant) {}

  @MessagePattern(10)
  value(): unknown {
    return [this.perTenant.number, this.perTenant.tenant.tenant];
  }

  @MessagePattern(11)
  async *stream(): AsyncGenerator {
    yield [this.perTenant.number, this.perTenant.tenant.tenant];
  }
}

let pair: GridPair;
beforeAll(async () => {
  const tenants = new Map<string, ContextId>();
  ContextIdFactory.apply({
    attach(contextId, request: RequestContext<string, GridContext>) {
      const { tenant } = request.getContext().getMetadata();
      if (tenant === undefined) return () => contextId;
      const shared = tenants.get(tenant) ?? ContextIdFactory.create();
      tenants.set(tenant, shared);
      return {
        resolve: (info: HostComponentInfo) => (info.isTreeDurable ? shared : contextId),
        payload: { tenant },
      };
    },
  });
  pair = await gridPair({ metadata: { controllers: [Scoped, Tenants], providers: [PerCall, PerTenant] } });
});
afterAll(() => pair.close());

test('request scope: a provider per request, per stream and per event, that sees its call', async () => {
  PerCall.made = 0;
  expect(await pair.peer.request(1, 'a')).toEqual([1, true, '1']);
  const values: unknown[] = [];
  for await (const value of pair.peer.stream(2, 'b', { input: ['x', 'y'], inCapacity: 2 })) values.push(value);
  expect(values).toEqual([
    [2, 'x', 'b'],
    [2, 'y', 'b'],
  ]);
  await pair.peer.emit('told', 'c');
  await until(() => events.length > 0, 'the event is handled');
  expect(events).toEqual(['c to 3']);
});

test('durable providers: one for all calls of a tenant, streams too', async () => {
  PerTenant.made = 0;
  const metadata = { tenant: 'ann' };
  expect(await pair.peer.request(10, undefined, { metadata })).toEqual([1, 'ann']);
  expect(await pair.peer.request(10, undefined, { metadata })).toEqual([1, 'ann']);
  for await (const value of pair.peer.stream(11, undefined, { metadata })) expect(value).toEqual([1, 'ann']);
  expect(await pair.peer.request(10, undefined, { metadata: { tenant: 'bob' } })).toEqual([2, 'bob']);
});
