import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import {
  failureOfText,
  framelessError,
  GRID_CODES,
  GridError,
  isDisconnected,
  isGridCode,
  refusalOfText,
  textOf,
  toGridError,
} from '../../lib/errors/index.js';

describe('GridError', () => {
  it('has the bare text as message and the code in toString() alone', () => {
    const error = new GridError('NOT_FOUND', 'no such object');
    expect(error.message).toBe('no such object');
    expect(String(error)).toBe('NOT_FOUND: no such object');
    expect(error.stack).toContain('GridError: no such object');
    expect(error).toBeInstanceOf(Error);
  });

  it('is not remote and not notSent unless told', () => {
    const error = new GridError('ABORTED', 'x');
    expect(error).toMatchObject({ remote: false, notSent: false });
  });

  it('with() adds facts, keeps the others, the cause and the stack, and leaves the original alone', () => {
    const cause = new Error('why');
    const error = new GridError('ABORTED', 'x', { remote: true, details: { a: 1 }, cause });
    const named = error.with({ peer: 'http://b:1', pattern: '60' });
    expect(named).toMatchObject({
      code: 'ABORTED',
      remote: true,
      details: { a: 1 },
      peer: 'http://b:1',
      pattern: '60',
    });
    expect(named.cause).toBe(cause);
    expect(named.stack).toBe(error.stack);
    expect(error.peer).toBeUndefined();
  });

  it('with() neither looks for a stack nor has one written down before it is read, and it may be set', () => {
    const { prepareStackTrace } = Error;
    const written: string[] = [];
    try {
      Error.prepareStackTrace = (error, frames) => `${written.push(error.message)}: ${frames.length > 0}`;
      const error = new GridError('ABORTED', 'x');
      const copies = [error.with({ peer: 'http://b:1' }), error.with({ notSent: true }).with({ pattern: '60' })];
      expect(written).toEqual([]);
      expect(copies.map(({ stack }) => stack)).toEqual(['1: true', '1: true']);
      copies[0]!.stack = 'its own';
      expect([copies[0]!.stack, error.stack]).toEqual(['its own', '1: true']);
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
    }
  });

  it.each([
    ['of a peer', failureOfText('no such object')],
    ['that refuses', refusalOfText('no such object')],
    ['that stands for another', toGridError(new Error('no such object'))],
    ['made so', framelessError('ABORTED', 'no such object')],
  ])('%s has no frames, which would be our own', (_, error) => {
    expect(error.stack).toBe('GridError: no such object');
    expect(error.with({ pattern: '60' }).stack).toBe('GridError: no such object');
    expect(error.with({ message: 'none' }).stack).toBe('GridError: none');
    expect(new Error('any other').stack).toContain('\n    at ');
  });

  it('has them where the process does not let their number be changed', () => {
    const { stackTraceLimit } = Error;
    const limit = (writable: boolean): unknown =>
      Object.defineProperty(Error, 'stackTraceLimit', { value: stackTraceLimit, writable, configurable: true });
    try {
      limit(false);
      expect(framelessError('ABORTED', 'x').stack).toContain('\n    at ');
    } finally {
      limit(true);
    }
  });

  it('is known across copies of the package and across realms', () => {
    const foreign = runInNewContext(
      `const e = new Error('x'); Object.defineProperty(e, Symbol.for('nestjs-grid.GridError'), { value: true }); e`,
    ) as unknown;
    expect(GridError.is(foreign)).toBe(true);
    expect(GridError.is(new Error('x'))).toBe(false);
    expect(GridError.is(undefined)).toBe(false);
  });
});

const refuse = (): never => {
  throw new Error('no');
};

/** What may not even be asked for its class. */
function blind(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('toGridError, the gate for foreign errors', () => {
  it('lets a GridError through', () => {
    const error = new GridError('ABORTED', 'x');
    expect(toGridError(error)).toBe(error);
  });

  it.each([
    ['an abort', new DOMException('stop', 'AbortError'), 'CANCELLED'],
    ['a timeout', new DOMException('late', 'TimeoutError'), 'DEADLINE_EXCEEDED'],
    ['an abort of Node', Object.assign(new Error('stop'), { name: 'AbortError' }), 'CANCELLED'],
    ['any error', new Error('boom'), 'INTERNAL'],
    ['an error of another realm', runInNewContext(`new TypeError('boom')`), 'INTERNAL'],
  ])('%s', (_name, foreign, code) => {
    const error = toGridError(foreign, 'INTERNAL');
    expect(error.code).toBe(code);
    expect(error.cause).toBe(foreign);
  });

  it.each([
    ['undefined', undefined, 'undefined was thrown'],
    ['null', null, 'null was thrown'],
    ['a string', 'boom', 'boom'],
    ['an object with a message', { message: 'boom' }, 'boom'],
    ['a number', 5, 'a number was thrown: 5'],
    ['an object', {}, 'an object was thrown: [object Object]'],
    [
      'an object whose getter throws',
      {
        get message() {
          throw new Error('no');
        },
      },
      'something without a readable text was thrown',
    ],
    [
      'an error whose name throws',
      Object.defineProperty(new Error('boom'), 'name', {
        get() {
          throw new Error('no');
        },
      }),
      'boom',
    ],
    ['an error with a list of messages', Object.assign(new Error(), { message: ['a', 'b'] }), 'a,b'],
    ['an object without a prototype', Object.create(null), 'something without a readable text was thrown'],
    ['a Proxy that lets nobody look', blind(), 'something without a readable text was thrown'],
    ['an error whose name throws', Object.defineProperty(new Error('boom'), 'name', { get: refuse }), 'boom'],
    ['an error with a number as its message', Object.assign(new Error(), { message: 42 }), '42'],
    ['an error with a symbol as its message', Object.assign(new Error(), { message: Symbol('m') }), 'Symbol(m)'],
    [
      'an error with a message that is no text',
      Object.assign(new Error(), { message: { toString: refuse } }),
      'something without a readable text was thrown',
    ],
  ])('finds a text for %s', (_name, foreign, text) => {
    expect(textOf(foreign)).toBe(text);
    expect(toGridError(foreign)).toMatchObject({ code: 'UNKNOWN', message: text });
    expect(GridError.is(foreign)).toBe(false);
  });
});

describe('texts that stand for codes (spec §12)', () => {
  it.each([
    ['handler blocked', 'FAILED_PRECONDITION'],
    ['did not expect inbound message', 'FAILED_PRECONDITION'],
    ['receive sequence number mismatch. want 1, got 2', 'DATA_LOSS'],
    ['out-of-sequence item received', 'DATA_LOSS'],
    ['response blocked', 'RESOURCE_EXHAUSTED'],
    ['remote terminated call', 'UNAVAILABLE'],
    ['remote disconnected', 'UNAVAILABLE'],
    ['context deadline exceeded', 'DEADLINE_EXCEEDED'],
    ['context canceled', 'CANCELLED'],
    ['anything else', 'UNKNOWN'],
    ['', 'UNKNOWN'],
  ])('an ending "%s" is %s', (text, code) => {
    expect(failureOfText(text)).toMatchObject({ code, message: text, remote: true, notSent: false });
  });

  it.each([
    ['Invalid Handler for type: 60', 'UNIMPLEMENTED'],
    ['Invalid Handler', 'UNIMPLEMENTED'],
    ['draining', 'UNAVAILABLE'],
    ['handler blocked', 'FAILED_PRECONDITION'],
  ])('a refusal "%s" is %s and says that the handler never ran', (text, code) => {
    expect(refusalOfText(text)).toMatchObject({ code, message: text, remote: true, notSent: true });
  });

  it('B21 a lost connection is recognised whichever way it was learned', () => {
    expect(isDisconnected(failureOfText('remote disconnected'))).toBe(true);
    expect(isDisconnected(new GridError('UNAVAILABLE', 'x', { reason: 'not-connected' }))).toBe(true);
    expect(isDisconnected(refusalOfText('draining'))).toBe(false);
    expect(isDisconnected(new Error('remote disconnected'))).toBe(false);
  });

  it('the list of codes is closed', () => {
    expect(GRID_CODES.every(isGridCode)).toBe(true);
    expect([isGridCode('TEAPOT'), isGridCode(5), isGridCode('toString')]).toEqual([false, false, false]);
  });
});
