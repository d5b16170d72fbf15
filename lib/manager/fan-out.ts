import { checkSignal, type CallOptions } from '../calls/index.js';
import type { GridPeer } from './grid-peer.js';
import { SettledResults } from './settled-results.js';

/** Options of a call to several hosts. */
export interface FanOutOptions<Validate extends boolean = boolean> extends CallOptions<Validate> {
  /** Origins. Default: all other hosts. */
  readonly peers?: readonly string[];
}

/** Makes one call to each of the peers at once; who leaves the loop over the outcomes cancels the rest. */
export function fanOut<Res>(
  peers: readonly GridPeer[],
  { peers: _names, signal, ...options }: FanOutOptions,
  call: (peer: GridPeer, options: CallOptions) => Promise<Res>,
): SettledResults<Res> {
  checkSignal(signal);
  const controller = new AbortController();
  const forward = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  if (signal?.aborted) forward();
  const calls = peers.map((peer) => ({
    peer: peer.origin,
    call: () => call(peer, { ...options, signal: controller.signal }),
  }));
  const results = new SettledResults(calls, () => controller.abort());
  void results.all().then(() => signal?.removeEventListener('abort', forward));
  return results;
}
