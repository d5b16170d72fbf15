import type { Subscriber } from 'rxjs';
import type { GridError } from '../errors/index.js';
import type { Inbound } from '../mux/index.js';

export interface ObserverPorts {
  decode(payload: Uint8Array): unknown;
  /** The error as the subscriber gets it. */
  named(error: GridError): unknown;
  /** A message could not be decoded: ends the call, and gives the error for the subscriber. */
  onBroken(thrown: unknown): unknown;
}

/** Delivers one direction's messages to a subscriber, giving a credit back for each that was delivered. */
export function observeMessages(inbound: Inbound, ports: ObserverPorts, subscriber: Subscriber<unknown>): void {
  let delivering = false;
  const deliver = (): void => {
    // a subscriber, and a codec, may end the call by what they do: the end has its turn behind the message at hand
    if (delivering) return;
    delivering = true;
    try {
      deliverAll(inbound, ports, subscriber);
    } finally {
      delivering = false;
    }
  };
  inbound.onReady = deliver;
  deliver();
}

function deliverAll(inbound: Inbound, ports: ObserverPorts, subscriber: Subscriber<unknown>): void {
  while (!subscriber.closed) {
    const payload = inbound.take();
    if (payload === undefined) break;
    let value: unknown;
    try {
      value = ports.decode(payload);
    } catch (thrown) {
      subscriber.error(ports.onBroken(thrown));
      return;
    }
    subscriber.next(value);
  }
  const { end } = inbound;
  if (subscriber.closed || end === undefined) return;
  if (end.error) subscriber.error(ports.named(end.error));
  else subscriber.complete();
}
