import type { ServerOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { WebSocket } from 'ws';
import type { Codec } from '../calls/index.js';
import type { MessageSocket } from '../connection/message-socket.js';
import type { GridLogger } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import type { GridAuth } from './auth.js';
import type { GridIntervals, GridLimits } from './limits.js';

/**
 * Opens a socket to a peer, in place of the WebSocket that the grid would dial: an open message socket, or an open
 * WebSocket of the package `ws`. `signal` aborts when the grid no longer wants it.
 */
export type Dialer = (peer: string, signal: AbortSignal) => Promise<MessageSocket | WebSocket>;

/**
 * Node's TLS options for dialing, or a function that gives them: asked at the first dial, and again by `reloadTls()`.
 */
export type DialTls = ConnectionOptions | (() => ConnectionOptions | Promise<ConnectionOptions>);

/**
 * Node's options of an https server, or a function that gives them: asked by `listen()`, and again by `reloadTls()`.
 */
export type ListenTls = ServerOptions | (() => ServerOptions | Promise<ServerOptions>);

/** Address of the own listener. */
export interface ListenOptions {
  /** Default: the host name of `local`. */
  readonly host?: string;
  /** Default: the port of `local`; 0 lets the system choose. */
  readonly port?: number;
  /**
   * Certificate and key of the listener; TLS 1.2 or later. Default: none, it speaks plain HTTP (behind a proxy that
   * ends TLS).
   */
  readonly tls?: ListenTls;
}

/** What a grid is told by its application. A wrong value throws INVALID_ARGUMENT that names the option. */
export interface GridOptions {
  /** This process's own origin, one of `hosts`: `http://node-1:9000`. */
  readonly local: string | undefined;
  /** The origins of all hosts, local included, the same on every host; `{1...4}` stands for a range. */
  readonly hosts: readonly string[];
  /** How hosts prove who they are. */
  readonly auth: GridAuth | undefined;
  /** Tells several grids of one process apart in logs. Default: `default`. */
  readonly name?: string;
  /** Path of the WebSocket. Default: `/grid/v1`; Go peers use `/minio/grid/v1`. */
  readonly route?: string;
  /** TLS for dialing `https` hosts, version 1.2 or later. Default: Node's own. */
  readonly tls?: DialTls;
  /**
   * Values of an `Origin` header that are let in, compared as they are: `https://app.example.com`. Browsers send that
   * header, hosts do not. Default: none, each request that has one is answered 403.
   */
  readonly allowedOrigins?: readonly string[];
  /** Caps that differ from the defaults. */
  readonly limits?: Partial<GridLimits>;
  /** Clocks that differ from the defaults. */
  readonly intervals?: Partial<GridIntervals>;
  /** A CRC on each message; `'auto'`: unless both hosts are encrypted. Default: `'auto'`. */
  readonly crc?: boolean | 'auto';
  /** Turns values into bytes where a contract or handler names no codec. Default: `msgpack()`. */
  readonly codec?: Codec;
  /** Another way to reach a peer than a WebSocket. */
  readonly dialer?: Dialer;
  /** Where log lines go. Default: the console. */
  readonly logger?: GridLogger;
  /**
   * `start()` waits for connections: `true` for all peers, a number for at least so many, `{ count, timeoutMs }` for no
   * longer than that. Default: it waits for none.
   */
  readonly waitForPeers?: boolean | number | { readonly count?: number; readonly timeoutMs?: number };
  /** At `close()`, milliseconds that running handlers get to end. Default: 10,000. */
  readonly drainTimeoutMs?: number;
  /** For `listen()`, where it differs from `local`: containers, NAT. */
  readonly listen?: ListenOptions;
  /** Time and chance. Default: the system's. For tests. */
  readonly clock?: Clock;
}

/**
 * The options after the door: every default filled in, every value checked. Frozen. Holds no secret and no key, so that
 * it may be logged.
 */
export interface GridSettings {
  readonly local: string;
  readonly hosts: readonly string[];
  /** Which of the three: by a shared secret, by the application's `sign` and `verify`, or not at all. */
  readonly auth: 'secret' | 'custom' | 'none';
  readonly name: string;
  readonly route: string;
  /** Whether TLS options for dialing were given. */
  readonly tls: boolean;
  readonly allowedOrigins: readonly string[];
  readonly limits: GridLimits;
  readonly intervals: GridIntervals;
  readonly crc: boolean | 'auto';
  readonly codec: Codec;
  readonly dialer: Dialer | undefined;
  readonly logger: GridLogger;
  readonly waitForPeers: { readonly count: number; readonly timeoutMs: number | undefined };
  readonly drainTimeoutMs: number;
  /** `tls`: whether the own listener speaks it. */
  readonly listen: Omit<ListenOptions, 'tls'> & { readonly tls: boolean };
  readonly clock: Clock;
}
