import {
  Body,
  Controller,
  Get,
  HttpCode,
  HttpException,
  Post,
  StandardSchemaValidationPipe,
  UseGuards,
} from '@nestjs/common';
import { type Grid, GridError, GridRecordBuilder, InjectGrid, type Pattern } from 'nestjs-grid';
import { take } from 'rxjs';
import { capacitiesOf } from './contracts.js';
import { callBody, streamBody } from './control-body.js';
import type { CallBody, StreamBody } from './control-body.js';
import { LoopbackGuard } from './loopback.guard.js';
import { RunningHandlers } from './running-handlers.js';

interface Failure {
  code: string;
  message: string;
  remote: boolean;
}

/** Makes calls to the other hosts for whoever asks over HTTP, and tells how it stands with them. */
@Controller()
@UseGuards(LoopbackGuard)
export class ControlController {
  constructor(
    @InjectGrid() private readonly grid: Grid,
    private readonly running: RunningHandlers,
  ) {}

  @Post('call')
  @HttpCode(200)
  async call(
    @Body({ schema: callBody, pipes: [StandardSchemaValidationPipe] }) body: CallBody,
  ): Promise<{ payload: string | null }> {
    const { host, payload, deadlineMs: timeoutMs, cancelAfterMs, metadata } = body;
    const cancel = new AbortController();
    const timer = cancelAfterMs === undefined ? undefined : setTimeout(() => cancel.abort(), cancelAfterMs);
    try {
      const options = { timeoutMs, metadata, signal: cancel.signal };
      const answer = await this.grid.peer(host).request<Uint8Array | undefined>(patternOf(body), payload, options);
      return { payload: answer === undefined ? null : base64Of(answer) };
    } catch (error) {
      throw new HttpException(failureOf(error), 502);
    } finally {
      clearTimeout(timer);
    }
  }

  @Post('stream')
  @HttpCode(200)
  async stream(
    @Body({ schema: streamBody, pipes: [StandardSchemaValidationPipe] }) body: StreamBody,
  ): Promise<{ outputs: string[]; error: Failure | null }> {
    const outputs: string[] = [];
    try {
      if (body.many) await this.#send(body, outputs);
      else await this.#stream(body, outputs);
      return { outputs, error: null };
    } catch (error) {
      return { outputs, error: failureOf(error) };
    }
  }

  @Get('state')
  state(): unknown {
    return {
      local: this.grid.local,
      peers: this.grid.stats().peers.map((peer) => ({
        host: peer.host,
        state: peer.state,
        outgoing: peer.outgoing,
        incoming: peer.incoming,
        queued: peer.queued,
        reconnects: peer.reconnects,
        lastPingMs: peer.lastPingMs ?? null,
      })),
      handlers: { running: this.running.count },
    };
  }

  async #stream(body: StreamBody, outputs: string[]): Promise<void> {
    const { host, handler, payload, inputs: input, deadlineMs: timeoutMs, cancelAfter = Infinity } = body;
    const { inCapacity, outCapacity } = capacitiesOf(handler);
    const options = { timeoutMs, input, inCapacity: input && inCapacity, outCapacity };
    const call = this.grid.peer(host).stream<Uint8Array>(patternOf(body), payload, options);
    if (cancelAfter === 0) return call.cancel();
    for await (const message of call) {
      outputs.push(base64Of(message));
      if (outputs.length === cancelAfter) return; // leaving the loop cancels
    }
  }

  async #send(body: StreamBody, outputs: string[]): Promise<void> {
    const { host, payload, deadlineMs, cancelAfter = Infinity } = body;
    const record = new GridRecordBuilder(payload);
    if (deadlineMs !== undefined) record.setTimeout(deadlineMs);
    const answers = this.grid.client(host).send<Uint8Array | undefined>(patternOf(body), record.build());
    try {
      await answers.pipe(take(cancelAfter)).forEach((message) => {
        if (message !== undefined) outputs.push(base64Of(message));
      });
    } catch (error) {
      if (GridError.is(error)) throw error;
      // an error text without a code comes through ClientProxy as the plain object that Nest's transports give
      throw new GridError('UNKNOWN', (error as { message: string }).message, { remote: true, cause: error });
    }
  }
}

function patternOf({ handler, subroute }: { handler: number; subroute?: string | undefined }): Pattern {
  return subroute === undefined ? handler : { id: handler, subroute };
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Calls fail with a GridError and nothing else; anything else is this node's own fault. */
function failureOf(error: unknown): Failure {
  if (!GridError.is(error)) throw error;
  return { code: error.code, message: error.message, remote: error.remote };
}
