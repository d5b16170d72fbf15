import { METADATA_BYTES } from '../wire/index.js';

/** What a peer can make grow, and the caps: per peer unless said. Each names the error that lies behind it. */
export interface GridLimits {
  /** Largest payload in bytes, either way: 16 MiB. Sending: OUT_OF_RANGE, that call only. Received: close 1009. */
  readonly messageBytes: number;
  /** Largest WebSocket message in bytes: 16 MiB + 64 KiB. Received: close 1009. */
  readonly frameBytes: number;
  /** Messages in one merged frame: 10,000. Past it: close 1002. */
  readonly frameMessages: number;
  /**
   * Streams of the peer that are open or whose handler has not really ended yet, those of former connections too:
   * 10,000. Past it they are refused: RESOURCE_EXHAUSTED with `notSent`.
   */
  readonly openStreams: number;
  /**
   * Requests and events of the peer whose handler has not really ended yet, those of former connections too: 20,000.
   * Past it: RESOURCE_EXHAUSTED with `notSent`.
   */
  readonly runningRequests: number;
  /**
   * Bytes waiting to be written: 32 MiB. Past it `request()` fails with RESOURCE_EXHAUSTED and `notSent`, and new
   * incoming calls are refused; messages of streams wait from 1 MiB on. A payload has at most three quarters of it:
   * OUT_OF_RANGE, that call only. Past it and three quarters more answers fail with RESOURCE_EXHAUSTED, and errors are
   * cut short; at twice as much the connection ends.
   */
  readonly queuedBytes: number;
  /**
   * Bytes of the peer's calls that are not let go, all together: payloads and metadata whose handler has not ended, and
   * input that was not read; each entry of metadata and each message counts 64 more: 256 MiB. Past it calls are refused
   * with RESOURCE_EXHAUSTED and `notSent`, streams end with it. As much again may wait for the peer's credits.
   */
  readonly heldBytes: number;
  /** Bytes received and not consumed, per call: 64 MiB. Past it that call ends with RESOURCE_EXHAUSTED. */
  readonly unreadBytes: number;
  /** Messages received and not consumed, per call of no known capacity: 1,024. Past it: RESOURCE_EXHAUSTED. */
  readonly unreadMessages: number;
  /** Milliseconds from an open socket to the end of the handshake: 5,000. Past it the socket is closed. */
  readonly handshakeMs: number;
  /**
   * Incoming sockets, of all peers together, whose handshake is not over: 128, and as many whose token is looked at;
   * they are shared fairly. Past it: 503.
   */
  readonly pendingHandshakes: number;
  /**
   * Refusals per minute of one address: 60; those of a host whose token is right count for that host alone. Past it:
   * 429 for whoever proves nothing, or for that host.
   */
  readonly refusedPerMinute: number;
  /** Pings of the connection itself, per second: 100. Past it: close 1008. */
  readonly pingsPerSecond: number;
  /**
   * Cancels per second of calls just opened: 10,000. Past it: close 1008. Our own wait past half of it, until the
   * peer has had their calls for a second: its limit is taken to be ours.
   */
  readonly cancelsPerSecond: number;
  /**
   * Largest metadata of a call in bytes, as encoded, either way: 8 KiB, and no more than that. Sending:
   * INVALID_ARGUMENT with `notSent`. Received: RESOURCE_EXHAUSTED, the handler never runs.
   */
  readonly metadataBytes: number;
  /** Largest error text in bytes that is sent: 4 KiB. Longer ones are cut. */
  readonly errorTextBytes: number;
}

export const LIMITS: GridLimits = Object.freeze({
  messageBytes: 16 * 1_024 * 1_024,
  frameBytes: 16 * 1_024 * 1_024 + 64 * 1_024,
  frameMessages: 10_000,
  openStreams: 10_000,
  runningRequests: 20_000,
  queuedBytes: 32 * 1_024 * 1_024,
  heldBytes: 256 * 1_024 * 1_024,
  unreadBytes: 64 * 1_024 * 1_024,
  unreadMessages: 1_024,
  handshakeMs: 5_000,
  pendingHandshakes: 128,
  refusedPerMinute: 60,
  pingsPerSecond: 100,
  cancelsPerSecond: 10_000,
  metadataBytes: METADATA_BYTES,
  errorTextBytes: 4 * 1_024,
});

/** The grid's clocks, all in milliseconds (wire spec §3, §5, §8, §9). */
export interface GridIntervals {
  /** Each side pings the connection this often: 10 s. It ends when the last pong is older than two of them. */
  readonly pingMs: number;
  /** A write that makes no progress for this long ends the connection: 4 s. */
  readonly writeTimeoutMs: number;
  /** Deadline of a request whose caller gave none: 60 s. */
  readonly requestTimeoutMs: number;
  /** A caller pings a stream this often: 15 s. It gives up when the last sign of life is older than two of them. */
  readonly streamPingMs: number;
  /** The handler side gives up a stream that was not pinged for this long: 60 s. */
  readonly streamSilenceMs: number;
  /** A stream whose both directions have had no credit for this long is logged, once: 30 s. */
  readonly blockedStreamMs: number;
  /** A dial that has no open WebSocket by then has failed: 2 s. */
  readonly dialTimeoutMs: number;
  /** The next dial starts this long after the last one started, or up to twice as long (random): 1 s. */
  readonly redialMs: number;
  /** A dialer whose connection another process of the same name took over waits this long: 60 s. */
  readonly replacedMs: number;
}

export const INTERVALS: GridIntervals = Object.freeze({
  pingMs: 10_000,
  writeTimeoutMs: 4_000,
  requestTimeoutMs: 60_000,
  streamPingMs: 15_000,
  streamSilenceMs: 60_000,
  blockedStreamMs: 30_000,
  dialTimeoutMs: 2_000,
  redialMs: 1_000,
  replacedMs: 60_000,
});
