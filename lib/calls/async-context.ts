import { AsyncResource } from 'node:async_hooks';

// made while the module loads, outside of every call
const outside = new AsyncResource('Grid');

/**
 * Runs `act` in an async context of its own, without a store of anybody: what a guard or a handler enters there
 * (`AsyncLocalStorage.enterWith`) reaches neither the socket, and by it the next calls, nor a call that waits for the
 * end of this one.
 */
export function inOwnContext<A extends unknown[]>(act: (...args: A) => void, ...args: A): void {
  outside.runInAsyncScope(inNewScope<A>, undefined, act, ...args);
}

function inNewScope<A extends unknown[]>(act: (...args: A) => void, ...args: A): void {
  new AsyncResource('GridCall').runInAsyncScope(act, undefined, ...args);
}
