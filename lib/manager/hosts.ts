import { isSecure } from '../connection/index.js';
import { GridError } from '../errors/index.js';

/** More names than any grid that was ever run; what a typing slip in a range would pass. */
const MOST_HOSTS = 4_096;
/** Names that an error text lists before it says "and n more". */
const NAMED_IN_TEXT = 32;

const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'ws:', 'wss:']);

/** No name of a host has a user; one that is given may come with a password, which no text shall show. */
function refuse(text: string): GridError {
  return new GridError('INVALID_ARGUMENT', text.replaceAll(/[^\s'/]*@/g, '***@'));
}

/** The port that an origin stands for, written out or not. */
export function portOf({ href, port }: URL): number {
  return Number(port) || (isSecure(href) ? 443 : 80);
}

/** The host of an origin as sockets and certificates know it: an IPv6 address has no brackets there. */
export function hostnameOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/**
 * Expands every ellipsis, `http://node-{1...4}:9000`, in every pattern. Several in one name multiply; `{01...16}` keeps
 * its zeros. Throws INVALID_ARGUMENT for a range that is not one, or for more than 4,096 names.
 */
export function expandHosts(patterns: readonly string[]): string[] {
  const hosts: string[] = [];
  for (const pattern of patterns) {
    for (const host of expand(pattern, MOST_HOSTS - hosts.length)) hosts.push(host);
  }
  return hosts;
}

function expand(pattern: string, room: number): string[] {
  const groups = [...pattern.matchAll(/\{([^{}]*)\}/g)].map(([group, range = '']) => ({
    group,
    ...rangeOf(pattern, range),
  }));
  if (/[{}]/.test(pattern.replaceAll(/\{[^{}]*\}/g, '')))
    throw refuse(`hosts: '${pattern}' has a brace without its partner`);
  const count = groups.reduce((product, { first, last }) => product * (last - first + 1), 1);
  if (count > room)
    throw refuse(`hosts: '${pattern}' stands for ${count} names; all hosts together may be ${MOST_HOSTS}`);
  let names = [''];
  let rest = pattern;
  for (const { group, first, last, width } of groups) {
    const at = rest.indexOf(group);
    const before = rest.slice(0, at);
    rest = rest.slice(at + group.length);
    names = names.flatMap((name) =>
      Array.from({ length: last - first + 1 }, (_, step) => name + before + String(first + step).padStart(width, '0')),
    );
  }
  return names.map((name) => name + rest);
}

function rangeOf(pattern: string, range: string): { first: number; last: number; width: number } {
  const [, from, to] = /^(\d{1,15})\.\.\.(\d{1,15})$/.exec(range) ?? [];
  if (from === undefined || to === undefined) {
    throw refuse(`hosts: '{${range}}' in '${pattern}' is not a range; write two numbers and three dots, {1...4}`);
  }
  const first = Number(from);
  const last = Number(to);
  if (first > last)
    throw refuse(`hosts: the range '{${range}}' in '${pattern}' runs backwards; write {${to}...${from}}`);
  const padded = from.startsWith('0') && from.length > 1;
  if (padded && to.length < from.length) {
    throw refuse(`hosts: the range '{${range}}' in '${pattern}' ends with fewer digits than it starts with`);
  }
  return { first, last, width: padded ? from.length : 1 };
}

/** Throws INVALID_ARGUMENT unless `name` is an origin as the grid spells it: scheme, host and port, nothing after. */
export function verifyOrigin(option: string, name: string): void {
  let url: URL;
  try {
    url = new URL(name);
  } catch {
    throw refuse(`${option}: '${name}' is not an origin; write it like http://node-1:9000`);
  }
  if (!SCHEMES.has(url.protocol) || url.hostname === '') {
    throw refuse(`${option}: '${name}' is not an origin; write it like http://node-1:9000 (http, https, ws or wss)`);
  }
  const bare = `${url.protocol}//${url.hostname}`;
  // hosts compare as exact strings, so a default port may be written out, but a name has one spelling otherwise
  const spellings = [url.port === '' ? bare : `${bare}:${url.port}`];
  if (url.port === '') spellings.push(`${bare}:${portOf(url)}`);
  if (!spellings.includes(name))
    throw refuse(`${option}: '${name}' is not spelled as an origin; write '${spellings[0]}'`);
  // to a listener it means any port, to a dialer none
  if (url.port === '0') throw refuse(`${option}: '${name}' has port 0; write the port that the other hosts dial`);
}

/**
 * The expanded list of all hosts. Throws INVALID_ARGUMENT when it is empty, holds a name that is not an origin or one
 * host twice, or does not hold `local`.
 */
export function verifyHosts(local: string, patterns: readonly string[]): readonly string[] {
  const hosts = expandHosts(patterns);
  if (hosts.length === 0) throw refuse('hosts: the list is empty; name every host, local included');
  const seen = new Map<string, string>();
  for (const host of hosts) {
    verifyOrigin('hosts', host);
    const same = new URL(host).href;
    const other = seen.get(same);
    if (other !== undefined) {
      const twice = other === host ? `'${host}' stands in the list twice` : `'${other}' and '${host}' are one host`;
      throw refuse(`hosts: ${twice}${host === local ? ' (it is local)' : ''}: ${list(hosts)}`);
    }
    seen.set(same, host);
  }
  if (!hosts.includes(local)) throw refuse(missing(local, hosts));
  return Object.freeze(hosts);
}

/** The names, cut where they are many. */
export function list(hosts: readonly string[]): string {
  const named = hosts.slice(0, NAMED_IN_TEXT).join(', ');
  return hosts.length > NAMED_IN_TEXT ? `${named} and ${hosts.length - NAMED_IN_TEXT} more` : named;
}

function missing(local: string, hosts: readonly string[]): string {
  const mine = new URL(local);
  const near = hosts
    .map((host) => ({ host, url: new URL(host) }))
    .filter(({ url }) => url.hostname === mine.hostname)
    .map(({ host, url }) => {
      const differences = [];
      if (url.protocol !== mine.protocol) differences.push('scheme');
      if (url.port !== mine.port) differences.push('port');
      return differences.length > 0
        ? `'${host}' differs only in its ${differences.join(' and ')}`
        : `'${host}' only spells the port out`;
    });
  const hint = near.length > 0 ? `; ${near.slice(0, 3).join(', ')}` : '';
  return `local: '${local}' is not one of the hosts (${list(hosts)})${hint}`;
}
