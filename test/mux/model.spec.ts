import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream, IncomingRequest, OutgoingRequest } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { muxPair } from '../../lib/testing/mux-pair.js';
import { EXTENSIONS } from '../../lib/wire/index.js';
import { bytes, text } from './solo-mux.js';

/** What can happen to calls, in any order. Numbers choose among the calls that are open. */
type Step =
  | { kind: 'open stream'; inCapacity: number; outCapacity: number; deadlineMs: number | undefined }
  | { kind: 'open request'; deadlineMs: number | undefined }
  | { kind: 'handler sends' | 'caller sends' | 'caller takes' | 'handler takes'; which: number; count: number }
  | {
      kind: 'handler ends' | 'handler fails' | 'caller ends input' | 'caller cancels' | 'answer';
      which: number;
      dice: number;
    }
  | { kind: 'deliver'; from: 'caller' | 'handler'; count: number }
  | { kind: 'time'; ms: number }
  | { kind: 'cut'; dice: number };

const which = fc.nat(3);
const deadlineMs = fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined, freq: 1 });
/** What ends calls early happens only when this falls on 0, or hardly any would live long enough to be of interest. */
const dice = fc.nat(19);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('open stream' as const),
      inCapacity: fc.nat(3),
      outCapacity: fc.integer({ min: 1, max: 4 }),
      deadlineMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open request' as const), deadlineMs }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'handler sends' as const,
        'caller sends' as const,
        'caller takes' as const,
        'handler takes' as const,
      ),
      which,
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'handler ends' as const,
        'handler fails' as const,
        'caller ends input' as const,
        'caller cancels' as const,
        'answer' as const,
      ),
      which,
      dice,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      from: fc.constantFrom('caller' as const, 'handler' as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), dice }) },
);

/** One direction of a stream as the model sees it. */
interface Direction {
  sent: string[];
  taken: string[];
  endedCleanly: boolean;
}

interface StreamModel {
  caller: CallerStream;
  handler: HandlerStream | undefined;
  output: Direction;
  input: Direction;
  overs: number;
}

interface RequestModel {
  call: OutgoingRequest;
  ends: string[];
  answered: string | undefined;
}

it('every call ends exactly once, what arrives is a prefix of what was sent, and a clean end means that all of it arrived', () => {
  let cleanEnds = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 50, maxLength: 250, size: 'max' }),
      fc.constantFrom([], EXTENSIONS),
      (steps, extensions) => {
        const clock = new ManualClock();
        const streams: StreamModel[] = [];
        const requests: RequestModel[] = [];
        const held: { model: number; call: IncomingRequest }[] = [];
        const pair = muxPair({
          clock,
          extensions,
          intervals: { streamPingMs: 100, streamSilenceMs: 400 },
          handlersB: {
            find: (handler) =>
              handler === 60
                ? {
                    onRequest: (call) => held.push({ model: Number(text(call.payload)), call }),
                    inCapacity: 0,
                    outCapacity: 1,
                  }
                : {
                    onStream: (call) => {
                      streams[Number(text(call.payload))]!.handler = call;
                    },
                    // the capacities of a handler are fixed; here each opening carries its own in the handler ID
                    inCapacity: Math.floor((handler - 100) / 10),
                    outCapacity: (handler - 100) % 10,
                  },
          },
        });
        pair.aToB.hold();
        pair.bToA.hold();

        const run = (next: Step): void => {
          switch (next.kind) {
            case 'open stream': {
              if (pair.a.closed) return;
              const model = { handler: undefined, output: direction(), input: direction(), overs: 0 };
              const caller = pair.a.openStream({
                handler: 100 + next.inCapacity * 10 + next.outCapacity,
                subroute: undefined,
                payload: bytes(String(streams.length)),
                timeoutMs: next.deadlineMs,
                input: next.inCapacity > 0,
                inCapacity: next.inCapacity,
                outCapacity: next.outCapacity,
              });
              const entry: StreamModel = { caller, ...model };
              caller.onOver = () => entry.overs++;
              streams.push(entry);
              return;
            }
            case 'open request': {
              if (pair.a.closed) return;
              const ends: string[] = [];
              const call = pair.a.openRequest(
                {
                  handler: 60,
                  subroute: undefined,
                  payload: bytes(String(requests.length)),
                  timeoutMs: next.deadlineMs,
                },
                { onResponse: (payload) => ends.push(text(payload) ?? ''), onError: (error) => ends.push(error.code) },
              );
              requests.push({ call, ends, answered: undefined });
              return;
            }
            case 'handler sends': {
              const stream = pick(streams, next.which);
              for (let i = 0; i < next.count && stream?.handler?.output.ready; i++) {
                const item = `out ${stream.output.sent.length}`;
                stream.output.sent.push(item);
                stream.handler.output.send(bytes(item));
              }
              return;
            }
            case 'caller sends': {
              const stream = pick(streams, next.which);
              for (let i = 0; i < next.count && stream?.caller.input.ready; i++) {
                const item = `in ${stream.input.sent.length}`;
                stream.input.sent.push(item);
                stream.caller.input.send(bytes(item));
              }
              return;
            }
            case 'caller takes': {
              const stream = pick(streams, next.which);
              for (let i = 0; i < next.count; i++) takeOne(stream?.caller.output, stream?.output);
              return;
            }
            case 'handler takes': {
              const stream = pick(streams, next.which);
              for (let i = 0; i < next.count; i++) takeOne(stream?.handler?.input, stream?.input);
              return;
            }
            case 'handler ends': {
              const stream = pick(streams, next.which);
              if (!stream?.handler || stream.handler.output.closed) return;
              stream.output.endedCleanly = true;
              stream.handler.output.end();
              return;
            }
            case 'handler fails': {
              const stream = pick(streams, next.which);
              if (!stream?.handler || stream.handler.output.closed || next.dice % 4 > 0) return;
              stream.handler.output.fail(new GridError('ABORTED', 'handler failed'));
              return;
            }
            case 'caller ends input': {
              const stream = pick(streams, next.which);
              if (!stream || stream.caller.input.closed) return;
              stream.input.endedCleanly = true;
              stream.caller.input.end();
              return;
            }
            case 'caller cancels': {
              if (next.dice % 10 > 0) return;
              pick(streams, next.which)?.caller.cancel(new GridError('CANCELLED', 'context canceled'));
              pick(requests, next.which)?.call.cancel(new GridError('CANCELLED', 'context canceled'));
              return;
            }
            case 'answer': {
              const entry = pick(held, next.which);
              if (!entry) return;
              requests[entry.model]!.answered = `answer ${entry.model}`;
              entry.call.respond(bytes(`answer ${entry.model}`));
              return;
            }
            case 'deliver':
              (next.from === 'caller' ? pair.aToB : pair.bToA).step(next.count);
              return;
            case 'time':
              clock.advance(next.ms);
              return;
            case 'cut':
              if (next.dice === 0) pair.cut();
          }
        };
        for (const next of steps) {
          run(next);
          if (pair.aborted) throw pair.aborted.error;
          for (const { output, input } of streams) {
            if (!isPrefix(output) || !isPrefix(input)) expect([output, input]).toBe('a prefix of what was sent');
          }
        }

        cleanEnds += streams.filter(
          ({ caller, output }) => caller.output.end?.error === undefined && caller.over && output.sent.length > 1,
        ).length;
        // after the worst: everything ends, once, and nothing is left
        pair.cut();
        for (const { call } of held) call.respond(undefined);
        for (const stream of streams) stream.handler?.output.end();
        for (const stream of streams) {
          while (takeOne(stream.caller.output, stream.output));
          while (takeOne(stream.handler?.input, stream.input));
          expect(stream.overs).toBe(1);
          expect(stream.caller.output.end).toBeDefined();
          expect(stream.output.taken).toEqual(stream.output.sent.slice(0, stream.output.taken.length));
          if (!stream.caller.output.end?.error) {
            expect(stream.output.endedCleanly).toBe(true);
            expect(stream.output.taken).toEqual(stream.output.sent);
          }
          if (stream.handler && !stream.handler.input.end?.error && stream.input.endedCleanly) {
            expect(stream.input.taken).toEqual(stream.input.sent);
          }
          if (stream.handler && !stream.input.endedCleanly && stream.caller.input.closed !== 'ended') {
            expect(stream.handler.input.end?.error ?? stream.handler.output.closed).toBeDefined();
          }
        }
        for (const request of requests) {
          expect(request.ends).toHaveLength(1);
          const [end] = request.ends;
          if (end?.startsWith('answer')) expect(end).toBe(request.answered);
        }
        expect([pair.a.outgoing, pair.b.incoming, pair.b.running, clock.timers]).toEqual([0, 0, 0, 0]);
      },
    ),
    { numRuns: 200 },
  );
  // or the property would hold because nothing ever happened
  expect(cleanEnds).toBeGreaterThan(20);
});

function direction(): Direction {
  return { sent: [], taken: [], endedCleanly: false };
}

function isPrefix({ sent, taken }: Direction): boolean {
  return taken.every((item, index) => item === sent[index]);
}

function pick<T>(from: readonly T[], index: number): T | undefined {
  return from.length === 0 ? undefined : from[index % from.length];
}

function takeOne(inbound: { take(): Uint8Array | undefined } | undefined, into: Direction | undefined): boolean {
  const item = inbound?.take();
  if (item === undefined) return false;
  into?.taken.push(text(item) ?? '');
  return true;
}
