import { describe, expect, it } from '@jest/globals';
import { CallChecker, type CallRecord } from './call-checker.js';

const LATE_MS = 100;
const RAN = 'notSent on a call that ran';
const LATE = 'a call was open 100 ms after its deadline';
const ran = (id: string, node = 1): CallRecord => ({ type: 'ran', id, node });
const ended = (id: string, code = 'ok', notSent = false, lateMs = 0): CallRecord => ({
  type: 'ended',
  id,
  code,
  notSent,
  lateMs,
});

function told(...records: CallRecord[]): string[] {
  const checker = new CallChecker(LATE_MS);
  for (const record of records) checker.record(record);
  checker.finish();
  return checker.violations.map(({ promise }) => promise);
}

describe('the call checker', () => {
  it.each<[string, CallRecord[]]>([
    ['calls that ran once', [ran('0/0'), ended('0/0'), ran('0/1'), ended('0/1')]],
    ['an end that is read before the run', [ended('0/5'), ran('0/5')]],
    ['what was not sent and did not run', [ended('0/0', 'UNAVAILABLE', true)]],
    ['what failed and ran, or did not', [ran('0/0'), ended('0/0', 'UNAVAILABLE'), ended('0/1', 'UNAVAILABLE')]],
    [
      'the same number of two callers',
      [ran('0/7'), ended('0/7'), ran('1/7'), ended('1/7'), ended('2/7', 'UNAVAILABLE', true)],
    ],
    ['a caller that was killed', [ran('0/0')]],
    ['a deadline that was noticed in time', [ran('0/0'), ended('0/0', 'DEADLINE_EXCEEDED', false, LATE_MS)]],
  ])('is content with %s', (_, records) => {
    expect(told(...records)).toEqual([]);
  });

  it.each<[string, CallRecord[], string]>([
    ['notSent on a call that ran', [ran('0/0'), ended('0/0', 'UNAVAILABLE', true)], RAN],
    ['notSent on a call that runs later', [ended('0/0', 'UNAVAILABLE', true), ran('0/0')], RAN],
    ['a call that ran twice', [ran('0/3', 1), ran('0/3', 2)], 'a call ran twice'],
    ['a call that ended twice', [ended('0/3', 'CANCELLED'), ended('0/3', 'UNAVAILABLE')], 'a call ended twice'],
    ['success without a run', [ran('0/9000'), ended('0/9000'), ended('0/9001')], 'a call succeeded that never ran'],
    ['a late end', [ended('0/0', 'DEADLINE_EXCEEDED', false, LATE_MS + 1)], LATE],
    ['a call that hangs', [{ type: 'hangs', id: '0/0', lateMs: 5_000 }], LATE],
  ])('catches %s', (_, records, promise) => {
    expect(told(...records)).toEqual([promise]);
  });

  it('names the call that never ran', () => {
    for (const number of [0, 31, 32, 33, 5_000]) {
      const checker = new CallChecker(LATE_MS);
      checker.record(ended(`0.17.data/${number}`));
      checker.finish();
      expect(checker.violations[0]?.piece).toEqual([{ id: `0.17.data/${number}` }]);
    }
  });
});
