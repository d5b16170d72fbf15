// A host of its own process that traces with the real SDK: node traced-host.mjs LOCAL HOST...
// Its spans are what its handler 99 answers.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Grid, GridModule, gridMicroservice } from 'nestjs-grid';
import { GridTracingModule } from 'nestjs-grid/otel';

const [local, ...hosts] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
const tracer = trace.getTracer('the application');

/** What the application itself traces. */
const inside = (name) => tracer.startSpan(name).end();

class Handlers {
  answer(payload) {
    inside('inside answer');
    return payload;
  }

  async *count(to) {
    try {
      for (let i = 0; i < to; i++) {
        inside('inside next');
        yield i;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      inside('inside finally');
    }
  }

  break(text = 'broken') {
    throw new Error(text);
  }

  callBack(peer) {
    return app.get(Grid).peer(peer).request(64, 'nested');
  }

  /** As code does that lost its async context. */
  callBackOutside(peer, parent) {
    return context.with(ROOT_CONTEXT, () => app.get(Grid).peer(peer).request(64, 'nested', { parent }));
  }

  created() {
    inside('inside event');
  }

  spans() {
    return exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      kind: span.kind,
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      attributes: span.attributes,
      status: span.status,
      exceptions: span.events.map((event) => event.attributes?.['exception.message']),
    }));
  }
}

const decorators = {
  answer: MessagePattern(60),
  count: MessagePattern(61),
  break: MessagePattern(62),
  callBack: MessagePattern(63),
  callBackOutside: MessagePattern(65),
  created: EventPattern('user.created'),
  spans: MessagePattern(99),
};
for (const [name, decorate] of Object.entries(decorators)) {
  decorate(Handlers.prototype, name, Object.getOwnPropertyDescriptor(Handlers.prototype, name));
}
Payload()(Handlers.prototype, 'callBackOutside', 0);
Ctx()(Handlers.prototype, 'callBackOutside', 1);
Controller()(Handlers);

class HostModule {}
const grid = GridModule.forRoot({ local, hosts, auth: { secret: process.env.GRID_SECRET }, drainTimeoutMs: 100 });
Module({ imports: [grid, GridTracingModule.forRoot()], controllers: [Handlers] })(HostModule);

const app = await NestFactory.createMicroservice(HostModule, { ...gridMicroservice(), logger: false });
await app.listen();
// the end of the input is the end of the test
process.stdin.on('end', () => app.close().then(() => process.exit())).resume();
