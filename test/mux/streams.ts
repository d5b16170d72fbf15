import type { GridError } from '../../lib/errors/index.js';
import type { CallHandler, HandlerStream, Inbound } from '../../lib/mux/index.js';
import { bytes, text } from './solo-mux.js';

export interface Read {
  items: string[];
  end: { error: GridError | undefined } | undefined;
}

/** Takes everything as it comes. */
export function readAll(inbound: Inbound): Read {
  const read: Read = { items: [], end: undefined };
  const pump = () => {
    for (let item = inbound.take(); item; item = inbound.take()) read.items.push(text(item) ?? '');
    read.end = inbound.end;
  };
  inbound.onReady = pump;
  pump();
  return read;
}

/** Sends the items one by one as credit allows, then ends. */
export function pump(stream: HandlerStream, items: readonly string[], error?: GridError): { sent: number } {
  const progress = { sent: 0 };
  const go = () => {
    while (progress.sent < items.length && stream.output.ready) stream.output.send(bytes(items[progress.sent++]!));
    if (progress.sent < items.length && !stream.output.closed) return;
    stream.output.onReady = undefined;
    if (error) stream.output.fail(error);
    else stream.output.end();
  };
  stream.output.onReady = go;
  go();
  return progress;
}

export const stream = (onStream: (call: HandlerStream) => void, inCapacity = 0, outCapacity = 1): CallHandler => ({
  onStream,
  inCapacity,
  outCapacity,
});

export const init = (
  handler: number,
  options: { payload?: string; input?: boolean; timeoutMs?: number | undefined; inCapacity?: number } = {},
) => ({
  handler,
  subroute: undefined,
  payload: options.payload === undefined ? undefined : bytes(options.payload),
  timeoutMs: options.timeoutMs,
  input: options.input ?? false,
  inCapacity: options.inCapacity,
  outCapacity: undefined,
});

export const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
