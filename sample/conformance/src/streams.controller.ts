import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { once } from 'node:events';
import { GridContext, GridError, GridInput, GridStream } from 'nestjs-grid';
import { CountInput, Echo, EmitNumbers, EmitSized, FailAfterTwo, HoldOutput, IgnoreInput } from './contracts.js';
import { numberOf, textOf } from './payload-text.js';
import { RunningHandlers } from './running-handlers.js';

/** The stream handlers: async generators, pulled one message per credit. */
@Controller()
export class StreamsController {
  constructor(private readonly running: RunningHandlers) {}

  @GridStream(EmitSized)
  async *emitSized(@Payload() payload: Buffer | undefined): AsyncGenerator<Buffer> {
    const [count = 0, size = 0] = textOf(payload).split(',').map(numberOf);
    for (let index = 0; index < count; index++) yield Buffer.alloc(size, index % 256);
  }

  @GridStream(CountInput)
  async *countInput(
    @Payload() _payload: Buffer | undefined,
    @GridInput() input: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    let count = 0;
    for await (const _message of input) count++;
    yield Buffer.from(String(count));
  }

  @GridStream(Echo)
  async *echo(
    @Payload() _payload: Buffer | undefined,
    @GridInput() input: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    yield* input;
  }

  @GridStream(Echo, { subroute: 'sub/route' })
  async *echoAtSubroute(
    @Payload() _payload: Buffer | undefined,
    @GridInput() input: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    yield* input;
  }

  @GridStream(FailAfterTwo)
  async *failAfterTwo(@Payload() payload: Buffer | undefined): AsyncGenerator<Buffer> {
    yield Buffer.from('a');
    yield Buffer.from('b');
    throw new GridError('UNKNOWN', textOf(payload));
  }

  @GridStream(HoldOutput)
  async *holdOutput(@Payload() _payload: Buffer | undefined, @Ctx() context: GridContext): AsyncGenerator<Buffer> {
    using _counted = this.running.enter();
    await aborted(context.signal);
  }

  @GridStream(IgnoreInput)
  async *ignoreInput(@Payload() _payload: Buffer | undefined, @Ctx() context: GridContext): AsyncGenerator<Buffer> {
    using _counted = this.running.enter();
    await aborted(context.signal);
  }

  @GridStream(EmitNumbers)
  async *emitNumbers(@Payload() payload: Buffer | undefined): AsyncGenerator<Buffer> {
    const count = numberOf(textOf(payload));
    for (let index = 0; index < count; index++) yield Buffer.from(String(index));
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
