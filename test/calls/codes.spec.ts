// docs/ERRORS.md has a line per code; here each is raised by what that line says, and by nothing made up.
import { expect, it } from '@jest/globals';
import { ForbiddenException, NotFoundException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { z } from 'zod';
import { bytes, defineRequest } from '../../lib/calls/index.js';
import { dialHandshake, acceptHandshake } from '../../lib/connection/index.js';
import { GRID_CODES, GridError, handled, type GridCode } from '../../lib/errors/index.js';
import { gridErrorOf } from '../../lib/nest/rpc-error.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { Flag, Op } from '../../lib/wire/index.js';
import { A, B, ports } from '../connection/grid-end.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

type Facts = Partial<Pick<GridError, 'remote' | 'notSent' | 'reason' | 'message' | 'details'>>;
interface Situation {
  readonly when: string;
  readonly happens: (line: GridLine) => Promise<GridError>;
  readonly facts: Facts;
}

const local: Facts = { remote: false, notSent: true };
const refused: Facts = { remote: true, notSent: true };
const failed: Facts = { remote: true, notSent: false };

function throws(thrown: unknown): (line: GridLine) => Promise<GridError> {
  return (line) => {
    line.handle(
      60,
      () => {
        throw thrown;
      },
      { errorMapper: gridErrorOf },
    );
    return failure(line.caller.request(60));
  };
}

async function runningThen(line: GridLine, then: () => void): Promise<GridError> {
  line.handle(60, () => new Promise(() => {}));
  const call = failure(line.caller.request(60));
  await line.pair.settle();
  then();
  return call;
}

/** The error that a synchronous misuse throws. */
async function thrownBy(misuse: () => unknown): Promise<GridError> {
  return failure(Promise.resolve().then(misuse));
}

const situations: Record<GridCode, Situation[]> = {
  CANCELLED: [
    {
      when: 'the signal of a call that runs is aborted',
      happens: (line) => {
        const cancel = new AbortController();
        line.handle(60, () => new Promise(() => {}));
        const call = failure(line.caller.request(60, 1, { signal: cancel.signal }));
        return line.pair.settle().then(() => (cancel.abort(), call));
      },
      facts: { remote: false, notSent: false },
    },
    {
      when: 'a stream is left before it was sent',
      happens: (line) => {
        line.pair.aToB.hold();
        const call = line.caller.stream(60);
        call.cancel();
        return failure(call.done);
      },
      facts: local,
    },
  ],
  UNKNOWN: [
    { when: 'a handler throws an RpcException', happens: throws(new RpcException('no luck')), facts: failed },
    {
      when: 'a peer without the extension error gives a text of its own',
      happens: () => throws(new GridError('ABORTED', 'conflict'))(gridLine({ extensions: [] })),
      facts: { ...failed, message: 'conflict', details: undefined },
    },
  ],
  INVALID_ARGUMENT: [
    {
      when: 'a payload does not fit the schema of the handler',
      happens: (line) => {
        line.handle(60, () => 1, { payloadSchema: z.object({ path: z.string() }) });
        return failure(line.caller.request(60, { path: 1 }));
      },
      facts: { ...failed, details: [{ path: 'path', message: expect.any(String) }] },
    },
    {
      when: 'the codec does not take the payload',
      happens: (line) => failure(line.caller.request(60, 'text', { codec: bytes() })),
      facts: local,
    },
    { when: 'the handler ID is none', happens: (line) => failure(line.caller.request(0)), facts: local },
  ],
  DEADLINE_EXCEEDED: [
    {
      when: 'a handler takes longer than the call has',
      happens: (line) => runningThen(line, () => line.clock.advance(60_000)),
      facts: { remote: false, notSent: false },
    },
    {
      when: 'no time was left',
      happens: (line) => failure(line.caller.request(60, 1, { deadline: new Date(0) })),
      facts: local,
    },
  ],
  NOT_FOUND: [
    { when: 'the application throws a NotFoundException', happens: throws(new NotFoundException()), facts: failed },
  ],
  ALREADY_EXISTS: [
    {
      when: 'two handlers have one pattern',
      happens: (line) => thrownBy(() => [1, 2].map(() => line.handle(60, () => 1))),
      facts: { remote: false },
    },
  ],
  PERMISSION_DENIED: [
    { when: 'a guard says no', happens: throws(new RpcException('Forbidden resource')), facts: failed },
    { when: 'the application throws a ForbiddenException', happens: throws(new ForbiddenException()), facts: failed },
  ],
  UNAUTHENTICATED: [
    {
      when: 'the peer does not take our token',
      happens: () => {
        const [dialer, acceptor] = socketPair();
        const admit = async () => ({ accepted: false, reason: 'the token is not valid: expired' }) as const;
        // the dialer's failure is the one that is looked at
        void handled(acceptHandshake(acceptor, { local: B, admit }, ports()));
        return failure(dialHandshake(dialer, { local: A, remote: B, token: 'old' }, ports()));
      },
      facts: { remote: true, message: 'the token is not valid: expired' },
    },
  ],
  RESOURCE_EXHAUSTED: [
    {
      when: 'a handler has no place left',
      happens: async (line) => {
        line.handle(60, () => new Promise(() => {}), { concurrency: 1 });
        // it has the place until the line is cut, by which it fails
        void handled(line.caller.request(60));
        return failure(line.caller.request(60));
      },
      facts: { ...refused },
    },
    {
      when: 'too many bytes wait to be written',
      happens: (line) => {
        line.pair.aToB.congested = true;
        return failure(line.caller.request(60));
      },
      facts: { ...local, reason: 'limit' },
    },
  ],
  FAILED_PRECONDITION: [
    {
      when: 'a stream is asked for one answer',
      happens: (line) => {
        line.handle(60, async function* () {}, { kind: 'stream' });
        return failure(line.caller.request(60));
      },
      facts: { ...refused, message: 'streams: call stream()' },
    },
    {
      when: 'metadata is given for a peer that cannot carry it',
      happens: () => failure(gridLine({ extensions: [] }).caller.request(60, 1, { metadata: { a: 'b' } })),
      facts: local,
    },
  ],
  ABORTED: [
    { when: 'the application says so', happens: throws(new GridError('ABORTED', 'another writer')), facts: failed },
  ],
  OUT_OF_RANGE: [
    {
      when: 'a payload is above messageBytes',
      happens: () => failure(gridLine({ limits: { messageBytes: 8 } }).caller.request(60, 'more than that')),
      facts: { ...local, reason: 'limit' },
    },
    {
      when: 'an answer is',
      happens: () => {
        const line = gridLine({ limits: { messageBytes: 8 } });
        line.handle(60, () => 'more than that');
        return failure(line.caller.request(60));
      },
      facts: failed,
    },
  ],
  UNIMPLEMENTED: [
    {
      when: 'the peer has no such handler',
      happens: (line) => failure(line.caller.request(defineRequest({ id: 99, name: 'disk.info' }))),
      facts: { ...refused, message: 'Invalid Handler for type: 99: http://b:9000 has no handler for disk.info' },
    },
  ],
  INTERNAL: [
    { when: 'a handler has a bug', happens: throws(new TypeError('x is not a function')), facts: failed },
    {
      when: 'the answer cannot be read',
      happens: (line) => {
        line.handle(60, () => Buffer.from('{'), { codec: bytes() });
        return failure(line.caller.request(60));
      },
      facts: { remote: false, notSent: false },
    },
  ],
  UNAVAILABLE: [
    {
      when: 'the connection is lost while the handler runs',
      happens: (line) => runningThen(line, () => line.pair.cut()),
      facts: { remote: false, notSent: false, reason: 'disconnected' },
    },
    {
      when: 'it was lost before',
      happens: (line) => (line.pair.cut(), failure(line.caller.request(60))),
      facts: { ...local, reason: 'disconnected' },
    },
  ],
  DATA_LOSS: [
    {
      when: 'a message is missing in between',
      happens: async (line) => {
        const hold = signalled();
        line.handle(60, () => hold.promise, { kind: 'stream' });
        const read = failure(collect(line.caller.stream(60)));
        await line.pair.settle();
        const { muxId } = line.pair.aToB.delivered[0]!;
        const item = { op: Op.MuxServerMsg, seq: 7, deadlineMs: 0, handler: 0, flags: Flag.Crc };
        line.pair.a.receive({ ...item, muxId, payload: Buffer.from('1') });
        hold.resolve();
        return read;
      },
      facts: { remote: false, notSent: false, reason: 'protocol' },
    },
  ],
};

const table = GRID_CODES.flatMap((code) => {
  return situations[code].map((situation) => [code, situation.when, situation] as const);
});

it.each(table)('%s: %s', async (code, _when, { happens, facts }) => {
  const line = gridLine();
  const error = await happens(line);
  expect(error).toMatchObject({ code, ...facts });
  expect(error.toString()).toBe(`${code}: ${error.message}`);
  line.pair.cut();
});
