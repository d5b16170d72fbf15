import { AsyncResource } from 'node:async_hooks';

// What AsyncLocalStorage holds belongs to a call: its code runs in one context, wherever it is called from. By an
// AsyncResource and not AsyncLocalStorage.snapshot() nor bind(), which cost a hundred times as much.

/** The async context of now. What is run in it sees what is held here, and what it enters itself stays in it. */
export function currentContext(): AsyncResource {
  return new AsyncResource('GridCall');
}

// made while the module loads, outside of every call
const outside = new AsyncResource('Grid');

/**
 * Runs `act` in an async context of its own, without a store of anybody: what a guard or a handler enters there
 * (`AsyncLocalStorage.enterWith`) reaches neither the socket, and by it the next calls, nor a call that waits for the
 * end of this one.
 */
export function inOwnContext<A extends unknown[]>(act: (...args: A) => void, ...args: A): void {
  outside.runInAsyncScope(inNewContext<A>, undefined, act, ...args);
}

function inNewContext<A extends unknown[]>(act: (...args: A) => void, ...args: A): void {
  currentContext().runInAsyncScope(act, undefined, ...args);
}
