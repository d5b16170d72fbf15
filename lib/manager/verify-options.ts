import { msgpack, shownOption } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';
import { systemClock } from '../time/index.js';
import { LEAST_MAX } from '../wire/index.js';
import { verifyHosts, verifyOrigin } from './hosts.js';
import { kindOf } from './kind-of.js';
import { INTERVALS, LIMITS, type GridIntervals, type GridLimits } from './limits.js';
import type { GridOptions, GridSettings, ListenOptions } from './options.js';
import { verifyListenTls } from './own-listener.js';
import { verifySecrets } from './secret-ring.js';
import { secureContextOf } from './tls-context.js';
import { unfailingLogger } from './unfailing-logger.js';

/** Room in a frame for what stands around a payload: fields, metadata, subroute, CRC. */
const FRAME_OVERHEAD = 16 * 1_024;
/** 2^31-1: as long as one timer can run. */
const LONGEST_MS = 2 ** 31 - 1;

/** Used where an option is not given. */
export const DEFAULTS = Object.freeze({
  name: 'default',
  route: '/grid/v1',
  crc: 'auto',
  drainTimeoutMs: 10_000,
  limits: LIMITS,
  intervals: INTERVALS,
} as const);

const KNOWN: Readonly<Record<keyof GridOptions, true>> = {
  local: true,
  hosts: true,
  auth: true,
  name: true,
  route: true,
  tls: true,
  allowedOrigins: true,
  limits: true,
  intervals: true,
  crc: true,
  codec: true,
  dialer: true,
  logger: true,
  waitForPeers: true,
  drainTimeoutMs: true,
  listen: true,
  clock: true,
};

function refuse(text: string): GridError {
  return new GridError('INVALID_ARGUMENT', text);
}

function wrong(option: string, value: unknown, allowed: string): GridError {
  return refuse(`${option} is ${shownOption(value)}; it must be ${allowed}`);
}

/** A plain object whose keys are all known; anything else throws. */
function verifyKeys(option: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(option || 'options', value, 'an object');
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    throw refuse(`unknown option ${option ? `${option}.` : ''}${key}; known are ${known.join(', ')}`);
  }
}

function whole(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(option, value, `a whole number from ${least} to ${most}`);
}

function oneOf<T>(option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw wrong(option, value, allowed.map(shownOption).join(', '));
}

/** Fills a table of numbers in. */
function numbers<K extends string>(
  option: string,
  given: Partial<Record<K, number>> | undefined,
  defaults: Readonly<Record<K, number>>,
  most: number,
): Readonly<Record<K, number>> {
  if (given === undefined) return defaults;
  const names = Object.keys(defaults) as K[];
  verifyKeys(option, given, names);
  const filled: Record<K, number> = { ...defaults };
  for (const key of names) {
    if (given[key] !== undefined) filled[key] = whole(`${option}.${key}`, given[key], 1, most);
  }
  return Object.freeze(filled);
}

function verifyLimits(given: Partial<GridLimits> | undefined): GridLimits {
  const limits = numbers('limits', given, LIMITS, 2 ** 31 - 1);
  whole('limits.metadataBytes', limits.metadataBytes, 1, LIMITS.metadataBytes);
  // it is announced as `Max`
  if (limits.frameBytes < LEAST_MAX) throw wrong('limits.frameBytes', limits.frameBytes, `at least ${LEAST_MAX}`);
  if (limits.frameBytes < limits.messageBytes + FRAME_OVERHEAD) {
    const least = limits.messageBytes + FRAME_OVERHEAD;
    throw wrong('limits.frameBytes', limits.frameBytes, `at least limits.messageBytes + ${FRAME_OVERHEAD} = ${least}`);
  }
  return limits;
}

function verifyIntervals(given: Partial<GridIntervals> | undefined): GridIntervals {
  return numbers('intervals', given, INTERVALS, LONGEST_MS);
}

const AUTH_ALLOWED = "{ secret }, { sign, verify } or 'none'";

/** Errors say what is wrong with a secret, never a part of it: what stands in the wrong place may be one, too. */
function verifyAuth(auth: unknown): GridSettings['auth'] {
  if (auth === undefined) throw refuse(`auth is missing; it must be ${AUTH_ALLOWED}`);
  if (auth === 'none') return auth;
  if (typeof auth !== 'object' || auth === null || Array.isArray(auth)) {
    throw refuse(`auth is ${kindOf(auth)}; it must be ${AUTH_ALLOWED}`);
  }
  if ('sign' in auth || 'verify' in auth) {
    // an object of a class may keep more beside its two methods
    if (Object.getPrototypeOf(auth) === Object.prototype) verifyKeys('auth', auth, ['sign', 'verify']);
    for (const name of ['sign', 'verify'] as const) {
      const part = (auth as Record<string, unknown>)[name];
      if (typeof part !== 'function') throw refuse(`auth.${name} is ${kindOf(part)}; it must be a function`);
    }
    return 'custom';
  }
  verifyKeys('auth', auth, ['secret']);
  const { secret } = auth as { secret?: unknown };
  // a function is asked by who uses what it gives
  if (typeof secret !== 'function') verifySecrets('auth.secret', secret);
  return 'secret';
}

function verifyLocal(local: unknown): string {
  if (local === undefined || local === '') {
    const advice = "is the environment variable set? It must be this process's origin, like http://node-1:9000";
    throw refuse(`local is ${shownOption(local)}; ${advice}`);
  }
  if (typeof local !== 'string') throw wrong('local', local, "this process's origin, like http://node-1:9000");
  verifyOrigin('local', local);
  return local;
}

function verifyHostList(local: string, hosts: unknown): readonly string[] {
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string')) {
    throw wrong('hosts', hosts, "a list of origins, like ['http://node-{1...4}:9000']");
  }
  return verifyHosts(local, hosts);
}

function verifyRoute(route: unknown): string {
  if (typeof route !== 'string' || !/^\/[\w\-./~]*$/.test(route) || new URL(route, 'http://host').pathname !== route) {
    throw wrong('route', route, 'a path that starts with /, like /grid/v1');
  }
  return route;
}

function verifyFunction<T>(option: string, value: T | undefined): T | undefined {
  if (value !== undefined && typeof value !== 'function') throw wrong(option, value, 'a function');
  return value;
}

function verifyMethods<T extends object>(option: string, value: T, methods: readonly (keyof T & string)[]): T {
  const complete =
    typeof value === 'object' && value !== null && methods.every((name) => typeof value[name] === 'function');
  if (!complete) throw wrong(option, value, `an object with ${methods.join(', ')}`);
  return value;
}

/** @returns whether there are any. */
function verifyTls(tls: unknown): boolean {
  if (tls === undefined) return false;
  // a function is asked by who uses what it gives
  if (typeof tls !== 'function') secureContextOf('tls', tls);
  return true;
}

function verifyAllowedOrigins(origins: unknown): readonly string[] {
  if (origins === undefined) return Object.freeze([]);
  if (!Array.isArray(origins)) {
    throw wrong('allowedOrigins', origins, "a list of origins, like ['https://app.example.com']");
  }
  for (const [index, origin] of origins.entries()) {
    const spelled = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin).origin : undefined;
    if (spelled === origin && /^https?:/.test(spelled ?? '')) continue;
    throw wrong(
      `allowedOrigins[${index}]`,
      origin,
      'an origin as browsers send it, like https://app.example.com: no path, no default port, lower case, no pattern',
    );
  }
  return Object.freeze([...(origins as string[])]);
}

function verifyListen(listen: ListenOptions | undefined): GridSettings['listen'] {
  if (listen === undefined) return Object.freeze({ tls: false });
  if (Array.isArray(listen)) throw refuse('listen is a list; it must be an object');
  verifyKeys('listen', listen, ['host', 'port', 'tls']);
  if (listen.host !== undefined && (typeof listen.host !== 'string' || listen.host === '')) {
    throw wrong('listen.host', listen.host, 'a host name or an address');
  }
  if (listen.port !== undefined) whole('listen.port', listen.port, 0, 65_535);
  const { tls, ...address } = listen;
  if (tls !== undefined && typeof tls !== 'function') verifyListenTls('listen.tls', tls);
  return Object.freeze({ ...address, tls: tls !== undefined });
}

function peerCount(option: string, value: unknown, others: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= others) return value;
  throw wrong(option, value, `a whole number from 0 to ${others}: so many other hosts there are`);
}

function verifyWait(wait: GridOptions['waitForPeers'], others: number): GridSettings['waitForPeers'] {
  if (wait === undefined || wait === false) return { count: 0, timeoutMs: undefined };
  if (wait === true) return { count: others, timeoutMs: undefined };
  if (typeof wait === 'number') return { count: peerCount('waitForPeers', wait, others), timeoutMs: undefined };
  if (typeof wait !== 'object' || wait === null || Array.isArray(wait)) {
    throw wrong('waitForPeers', wait, `true, false, a whole number from 0 to ${others} or { count, timeoutMs }`);
  }
  verifyKeys('waitForPeers', wait, ['count', 'timeoutMs']);
  return {
    count: wait.count === undefined ? others : peerCount('waitForPeers.count', wait.count, others),
    timeoutMs:
      wait.timeoutMs === undefined ? undefined : whole('waitForPeers.timeoutMs', wait.timeoutMs, 1, LONGEST_MS),
  };
}

const consoleLogger: GridLogger = Object.freeze({
  log: (message: string) => console.log(message),
  warn: (message: string) => console.warn(message),
  error: (message: string) => console.error(message),
});

/** Tells the lines of several grids in one process apart. */
function named(name: string, logger: GridLogger): GridLogger {
  if (name === DEFAULTS.name) return logger;
  return {
    log: (message) => logger.log(`[${name}] ${message}`),
    warn: (message) => logger.warn(`[${name}] ${message}`),
    error: (message) => logger.error(`[${name}] ${message}`),
    debug: (message) => logger.debug?.(`[${name}] ${message}`),
  };
}

/** The door: checks every option and fills the defaults in. Throws INVALID_ARGUMENT naming what is wrong. */
export function verifyOptions(options: GridOptions): GridSettings {
  verifyKeys('', options, Object.keys(KNOWN));
  const local = verifyLocal(options.local);
  const hosts = verifyHostList(local, options.hosts);
  // of all options null is a wrong value, not one that was left out
  const { name = DEFAULTS.name, route = DEFAULTS.route, crc = DEFAULTS.crc, logger = consoleLogger } = options;
  const { drainTimeoutMs = DEFAULTS.drainTimeoutMs } = options;
  if (typeof name !== 'string' || name === '') throw wrong('name', name, 'a string that is not empty');
  return Object.freeze({
    local,
    hosts,
    name,
    auth: verifyAuth(options.auth),
    route: verifyRoute(route),
    tls: verifyTls(options.tls),
    allowedOrigins: verifyAllowedOrigins(options.allowedOrigins),
    limits: verifyLimits(options.limits),
    intervals: verifyIntervals(options.intervals),
    crc: oneOf<boolean | 'auto'>('crc', crc, ['auto', true, false]),
    codec: options.codec === undefined ? msgpack() : verifyMethods('codec', options.codec, ['encode', 'decode']),
    dialer: verifyFunction('dialer', options.dialer),
    logger: named(name, unfailingLogger(verifyMethods('logger', logger, ['log', 'warn', 'error']))),
    waitForPeers: verifyWait(options.waitForPeers, hosts.length - 1),
    drainTimeoutMs: whole('drainTimeoutMs', drainTimeoutMs, 0, LONGEST_MS),
    listen: verifyListen(options.listen),
    clock:
      options.clock === undefined
        ? systemClock
        : verifyMethods('clock', options.clock, ['now', 'date', 'setTimer', 'random']),
  });
}
