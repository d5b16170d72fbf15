import { GridError } from '../errors/index.js';
import { shownOption } from './option-names.js';

/**
 * What a handler is found by.
 * - a number: a handler ID, an integer from 1 to 253;
 * - `{ id, subroute }`, exactly these keys: a handler ID with a subroute, parts of an array joined with `/`;
 * - a string or any other object: what Nest's other transports take; handler ID 255 with the normalised pattern as
 *   its subroute. `'60'` is not `60`.
 */
export type Pattern = number | string | RoutePattern | PatternObject;

/** A handler ID with a subroute: several handlers of one ID, told apart by it. */
export interface RoutePattern {
  /** 1 to 253. */
  readonly id: number;
  /** A string that is not empty, or several that are joined with `/`. */
  readonly subroute?: string | readonly string[];
  readonly kind?: never;
}

/**
 * Any other object, as Nest's other transports take it: its keys are sorted, so that their order does not matter.
 * `kind?: never`: a contract must not slip through as a pattern.
 */
export type PatternObject = (object | Readonly<Record<string, unknown>>) & { readonly kind?: never };

/** Carries every pattern that is not a handler ID (wire spec §11). */
export const PATTERN_HANDLER_ID = 255;
/** The handler IDs that applications may use: 1 to 253. */
export const MAX_HANDLER_ID = 253;

/** A pattern in the words of the wire. */
export interface Route {
  readonly handler: number;
  readonly subroute: string | undefined;
  /** For texts: what was called. */
  readonly name: string;
}

/**
 * The route of a pattern, under a prefix (`GridPeer.subroute`, `@GridSubroute`) where there is one.
 * @throws GridError INVALID_ARGUMENT for a handler ID out of range, an empty part of a subroute, or what is no pattern.
 */
export function resolvePattern(pattern: Pattern, prefix?: string): Route {
  if (typeof pattern === 'number') return routeOf(pattern, prefix);
  if (isRoutePattern(pattern)) {
    const own = pattern.subroute === undefined ? undefined : joinSubroute(pattern.subroute);
    return routeOf(pattern.id, joined(prefix, own));
  }
  const subroute = joined(prefix, normalisedPattern(pattern));
  return { handler: PATTERN_HANDLER_ID, subroute, name: subroute ?? '' };
}

/** Parts of a subroute joined with `/`, as they are. @throws GridError INVALID_ARGUMENT for an empty part. */
export function joinSubroute(parts: string | readonly string[]): string {
  const list = typeof parts === 'string' ? [parts] : parts;
  if (!Array.isArray(list) || list.length === 0) throw invalid('a subroute must be a string or a list of strings');
  for (const part of list) {
    if (typeof part !== 'string' || part === '')
      throw invalid('each part of a subroute must be a string that is not empty');
  }
  return list.join('/');
}

/**
 * @param name For the text: whose ID it is, where the ID alone would not tell.
 * @throws GridError INVALID_ARGUMENT for what is no handler ID that applications may use.
 */
export function checkHandlerId(id: number, name?: string): void {
  if (Number.isInteger(id) && id >= 1 && id <= MAX_HANDLER_ID) return;
  const whose = name === undefined ? '' : `${name}: `;
  throw invalid(`${whose}handler ID ${shownOption(id)} must be an integer from 1 to ${MAX_HANDLER_ID}`);
}

function routeOf(id: number, subroute: string | undefined): Route {
  checkHandlerId(id);
  return { handler: id, subroute, name: subroute === undefined ? String(id) : `${id}/${subroute}` };
}

function joined(prefix: string | undefined, own: string | undefined): string | undefined {
  if (own === '') throw invalid('an empty pattern');
  if (prefix === undefined || own === undefined) return prefix ?? own;
  return `${prefix}/${own}`;
}

function isRoutePattern(pattern: unknown): pattern is RoutePattern {
  if (typeof pattern !== 'object' || pattern === null || !('id' in pattern) || typeof pattern.id !== 'number')
    return false;
  return Object.keys(pattern).every((key) => key === 'id' || key === 'subroute');
}

/** Nest's own limits: what lies deeper or has more keys is cut, so that a route is never longer than Nest makes it. */
const MAX_DEPTH = 5;
const MAX_KEYS = 20;

/** The text that Nest's other transports make of a pattern: keys sorted, so that their order does not matter. */
export function normalisedPattern(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  if (typeof pattern === 'object' && pattern !== null) return normalised(pattern, 0);
  throw invalid(`a pattern must be a number, a string or an object, not ${pattern === null ? 'null' : typeof pattern}`);
}

function normalised(value: unknown, depth: number): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth > MAX_DEPTH) return '[MAX_DEPTH_REACHED]';
  const keys = Object.keys(value).sort((a, b) => a.localeCompare(b));
  if (keys.length > MAX_KEYS) return '[TOO_MANY_KEYS]';
  const parts = keys.map((key) => {
    const inner: unknown = (value as Record<string, unknown>)[key];
    const shown = typeof inner === 'string' ? `"${escaped(inner)}"` : normalised(inner, depth + 1);
    return `"${escaped(key)}":${shown}`;
  });
  return `{${parts.join(',')}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function invalid(message: string): GridError {
  return new GridError('INVALID_ARGUMENT', message, { notSent: true });
}
