import { describe, expect, it } from '@jest/globals';
import { HistoryChecker } from './history-checker.js';
import type { Begun, Content, Operation } from './operation.js';

const WITHIN = 1_000;
const LIMITS = { lateMs: 100, wanderMs: 500 };

/** Feeds a history as the clients make it: what begins and what ends, in the order of time. */
class Story {
  readonly checker = new HistoryChecker(LIMITS);
  private readonly events: { readonly at: number; readonly tell: () => void }[] = [];
  private id = 0;

  put(text: string, start: number, end: number, outcome: 'ok' | 'unknown' = 'ok', version = versionAt(start)): this {
    const { sha256, size } = content(text, version);
    const begun = { kind: 'put' as const, key: 'k', sha256, size, ...this.asked(start) };
    const stored = outcome === 'ok' ? { sha256, version } : undefined;
    return this.operation(begun, { ...begun, end, outcome, stored });
  }

  delete(start: number, end: number, outcome: 'ok' | 'absent' | 'unknown' = 'ok'): this {
    const begun = { kind: 'delete' as const, key: 'k', ...this.asked(start) };
    return this.operation(begun, { ...begun, end, outcome });
  }

  get(found: Content | 'absent' | 'failed', start: number, end: number): this {
    const begun = { kind: 'get' as const, key: 'k', ...this.asked(start) };
    if (typeof found === 'string') return this.operation(begun, { ...begun, end, outcome: found });
    return this.operation(begun, { ...begun, end, outcome: 'found', found });
  }

  list(entries: (Content & { key: string })[], start: number, end: number): this {
    const begun = { kind: 'list' as const, prefix: '', ...this.asked(start) };
    return this.operation(begun, { ...begun, end, outcome: 'whole', entries });
  }

  /** The promises that did not hold. */
  told(): string[] {
    this.events.sort((a, b) => a.at - b.at);
    for (const { tell } of this.events) tell();
    this.checker.finish();
    return this.checker.violations.map(({ promise }) => promise);
  }

  private asked(start: number): { id: number; node: number; start: number; withinMs: number } {
    return { id: this.id++, node: 0, start, withinMs: WITHIN };
  }

  private operation(begun: Begun, over: Operation): this {
    this.events.push({ at: begun.start, tell: () => this.checker.began(begun) });
    this.events.push({ at: over.end, tell: () => this.checker.end(over) });
    return this;
  }
}

function versionAt(time: number): string {
  return String(time).padStart(14, '0');
}

function content(text: string, version: string): Content {
  return { sha256: `sha of ${text}`, size: text.length, version };
}

const story = (): Story => new Story();
const a = content('a', versionAt(10));
const b = content('b', versionAt(30));
const LOST = 'an acknowledged write is lost: an older content was read';
const GONE = 'an acknowledged write is lost';
const SHORT = 'a listing that ended well is not complete';

describe('a good history', () => {
  it.each<[string, Story]>([
    ['a write is read', story().put('a', 10, 20).get(a, 21, 22)],
    ['the newest of two', story().put('a', 10, 20).put('b', 30, 40).get(b, 41, 42)],
    [
      'either of two while the second is under way',
      story().put('a', 10, 20).put('b', 30, 40).get(a, 35, 36).get(b, 37, 38),
    ],
    ['nothing before the first write was acknowledged', story().put('a', 10, 20).get('absent', 15, 21)],
    ['nothing after a delete', story().put('a', 10, 20).delete(30, 40).get('absent', 41, 42)],
    ['a write after a delete', story().put('a', 10, 20).delete(21, 22).put('b', 30, 40).get(b, 41, 42)],
    [
      'a write without an answer, or what was before',
      story().put('a', 10, 20).put('b', 30, 40, 'unknown').get(a, 41, 42).get(b, 43, 44),
    ],
    [
      'a delete without an answer, or what was before',
      story().put('a', 10, 20).delete(30, 40, 'unknown').get('absent', 41, 42).get(a, 43, 44),
    ],
    [
      'a delete without an answer that comes late',
      story().delete(1, 5, 'unknown').put('a', 10, 20).get('absent', 25, 30),
    ],
    ['an error says nothing', story().put('a', 10, 20).get('failed', 30, 40)],
    ['all that is there is listed', story().put('a', 10, 20).list([{ key: 'k', ...a }], 30, 40)],
    ['what is written meanwhile may be listed', story().put('a', 10, 20).list([], 15, 30)],
    ['what was deleted is not listed', story().put('a', 10, 20).delete(21, 22).list([], 30, 40)],
  ])('%s', (_, history) => {
    expect(history.told()).toEqual([]);
  });
});

describe('a bad history', () => {
  it.each<[string, Story, string]>([
    ['a lost write: nothing is there', story().put('a', 10, 20).get('absent', 21, 22), GONE],
    ['a lost write: the older one is there', story().put('a', 10, 20).put('b', 30, 40).get(a, 41, 42), LOST],
    ['a lost write: nothing is there to delete', story().put('a', 10, 20).delete(30, 40, 'absent'), GONE],
    [
      'a lost write: only the delete before it was there',
      story().delete(1, 5).put('a', 10, 20).get('absent', 21, 22),
      GONE,
    ],
    [
      'a lost write: the late delete was too long ago',
      story().delete(1, 5, 'unknown').put('a', 600, 700).get('absent', 701, 702),
      GONE,
    ],
    ['a deleted content', story().put('a', 10, 20).delete(21, 30).get(a, 31, 32), 'a deleted content came back'],
    [
      'a torn content',
      story().put('a', 10, 20).put('b', 30, 40).get(content('ab', b.version), 41, 42),
      'a content that nobody wrote was read',
    ],
    [
      'a short content',
      story().put('abc', 10, 20).get({ ...content('abc', versionAt(10)), size: 2 }, 21, 22),
      'a content that nobody wrote was read',
    ],
    ['a content from the future', story().get(b, 1, 2).put('b', 30, 40), 'a content that nobody wrote was read'],
    ['another checksum than was sent', badAnswer(), 'a write was acknowledged with a wrong checksum or version'],
    [
      'a version that goes back',
      story().put('a', 10, 20).put('b', 30, 40, 'ok', versionAt(5)),
      'a write was acknowledged with a wrong checksum or version',
    ],
    ['a short listing', story().put('a', 10, 20).list([], 30, 40), SHORT],
    ['an old entry in a listing', story().put('a', 10, 20).put('b', 30, 40).list([{ key: 'k', ...a }], 50, 60), LOST],
    [
      'a double entry in a listing',
      story().put('a', 10, 20).list([{ key: 'k', ...a }, { key: 'k', ...a }], 30, 40),
      'a listing has a key twice',
    ],
    [
      'a call that took too long',
      story().put('a', 10, 10 + WITHIN + LIMITS.lateMs + 1),
      'a call ended later than its time limit',
    ],
  ])('%s', (_, history, promise) => {
    expect(history.told()).toEqual([promise]);
  });

  it('shows the least that shows it', () => {
    const history = story().put('a', 10, 20).put('b', 30, 40).put('c', 31, 200).get(a, 41, 42);
    history.told();
    expect(history.checker.violations[0]?.piece).toMatchObject([
      { kind: 'put', sha256: 'sha of b' },
      { kind: 'put', sha256: 'sha of a' },
      { by: { kind: 'get', start: 41 } },
    ]);
  });

  it('a call that ends twice, that never ends, and that never began', () => {
    const checker = new HistoryChecker(LIMITS);
    const begun = { kind: 'get' as const, key: 'k', id: 1, node: 0, start: 10, withinMs: WITHIN };
    checker.began(begun);
    checker.began({ ...begun, id: 2 });
    for (const id of [1, 1, 3]) checker.end({ ...begun, id, end: 20, outcome: 'failed' });
    checker.finish();
    expect(checker.violations.map(({ promise }) => promise)).toEqual([
      'a call ended twice',
      'a call ended that never began',
      'a call never ended',
    ]);
  });
});

function badAnswer(): Story {
  const history = story();
  const put = { kind: 'put' as const, key: 'k', sha256: 'x', size: 1, id: 99, node: 0, start: 1, withinMs: WITHIN };
  history.checker.began(put);
  history.checker.end({ ...put, end: 2, outcome: 'ok', stored: { sha256: 'y', version: versionAt(1) } });
  return history;
}
