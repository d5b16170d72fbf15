import dns, { type LookupAddress } from 'node:dns';
import { expect, it } from '@jest/globals';
import { Lookups } from '../../lib/manager/lookups.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';

const ADDRESSES: LookupAddress[] = [
  { address: '10.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

type Answer = (error: Error | null, addresses?: LookupAddress[]) => void;

function setUp() {
  const clock = new ManualClock();
  const asked: [string, Answer][] = [];
  const lookup = ((name: string, _: object, answer: Answer) => void asked.push([name, answer])) as typeof dns.lookup;
  const lookups = new Lookups(clock, { lookup });
  const given: unknown[][] = [];
  const pending = (name: string): boolean => lookups.pending(name);
  const ask = (name: string, all = true): void => {
    lookups.lookup(name, { all }, (error, address, family) => {
      given.push([error?.message ?? address, ...(family === undefined ? [] : [family])]);
    });
  };
  return { clock, asked, given, ask, pending };
}

const turn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

it('each name is asked for once at a time, and the answer is for all who waited', () => {
  const { asked, given, ask } = setUp();
  ask('a');
  ask('a', false);
  ask('b');
  expect(asked.map(([name]) => name)).toEqual(['a', 'b']);
  asked[0]![1](null, ADDRESSES);
  expect(given).toEqual([[ADDRESSES], ['10.0.0.1', 4]]);
});

it('a name is pending from the question to its answer, whatever that is', () => {
  const { asked, ask, pending } = setUp();
  expect(pending('a')).toBe(false);
  ask('a');
  expect([pending('a'), pending('b')]).toEqual([true, false]);
  asked[0]![1](new Error('getaddrinfo EAI_AGAIN a'));
  expect(pending('a')).toBe(false);
  ask('a');
  asked[1]![1](null, ADDRESSES);
  expect(pending('a')).toBe(false);
});

it('an answer that took a second may have come too late: it serves the next ones for 5 s', async () => {
  const { clock, asked, given, ask } = setUp();
  ask('a');
  clock.advance(1_000);
  asked[0]![1](null, ADDRESSES);
  clock.advance(4_999);
  ask('a', false);
  expect(given.length).toBe(1);
  await turn();
  expect(given[1]).toEqual(['10.0.0.1', 4]);
  clock.advance(1);
  ask('a');
  expect(asked.length).toBe(2);
});

it('what was answered at once is asked for anew: a host may have moved', () => {
  const { clock, asked, ask } = setUp();
  ask('a');
  clock.advance(999);
  asked[0]![1](null, ADDRESSES);
  ask('a');
  expect(asked.length).toBe(2);
});

it('what was not found is asked for anew', () => {
  const { clock, asked, given, ask } = setUp();
  ask('a');
  clock.advance(10_000);
  // as the system does it: without addresses
  asked[0]![1](new Error('getaddrinfo ENOTFOUND a'));
  ask('a');
  asked[1]![1](null, []);
  expect(given).toEqual([['getaddrinfo ENOTFOUND a'], ['a has no address']]);
});

it('a question that the system does not even take is over: the next one may be better', async () => {
  const { clock, asked } = setUp();
  const picky = ((name: string, options: { family?: number }, answer: Answer) => {
    if (options.family === 5) throw new TypeError('no such family');
    asked.push([name, answer]);
  }) as typeof dns.lookup;
  const lookups = new Lookups(clock, { lookup: picky });
  const given: unknown[] = [];
  const ask = (family: number): void =>
    lookups.lookup('a', { family, all: true }, (error, address) => given.push(error?.message ?? address));
  ask(5);
  // told as any other answer is: not inside the question
  expect(given).toEqual([]);
  await turn();
  expect(given).toEqual(['no such family']);
  ask(4);
  asked[0]![1](null, ADDRESSES);
  expect(given).toEqual(['no such family', ADDRESSES]);
});
