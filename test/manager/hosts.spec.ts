import { describe, expect, it } from '@jest/globals';
import { expandHosts, verifyHosts } from '../../lib/manager/hosts.js';
import { thrownBy } from './refusal.js';

describe('ellipsis', () => {
  it('counts up, both ends included', () => {
    expect(expandHosts(['http://node-{1...4}:9000'])).toEqual([1, 2, 3, 4].map((n) => `http://node-${n}:9000`));
  });

  it('keeps the zeros', () => {
    const hosts = expandHosts(['http://node-{01...16}']);
    expect(hosts[0]).toBe('http://node-01');
    expect(hosts[9]).toBe('http://node-10');
    expect(hosts).toHaveLength(16);
    expect(expandHosts(['http://n{008...010}'])).toEqual(['http://n008', 'http://n009', 'http://n010']);
  });

  it('multiplies several groups, the last one fastest', () => {
    expect(expandHosts(['http://r{1...2}-n{0...1}:9{0...1}'])).toEqual([
      'http://r1-n0:90',
      'http://r1-n0:91',
      'http://r1-n1:90',
      'http://r1-n1:91',
      'http://r2-n0:90',
      'http://r2-n0:91',
      'http://r2-n1:90',
      'http://r2-n1:91',
    ]);
  });

  it('passes names without an ellipsis on', () => {
    expect(expandHosts(['http://a', 'http://b{1...1}'])).toEqual(['http://a', 'http://b1']);
  });

  it.each([
    ['{1..4}', 'three dots'],
    ['{a...d}', 'not a range'],
    ['{}', 'not a range'],
    ['{4...1}', 'runs backwards'],
    ['{010...12}', 'fewer digits'],
    ['{1...4', 'brace without its partner'],
    ['1...4}', 'brace without its partner'],
    ['{1...999999999}', '999999999 names'],
    ['{1...999999999999999}{1...999999999999999}{1...999999999999999}', 'all hosts together may be 4096'],
    ['{1...64}{1...65}', '4160 names'],
  ])('refuses %s', (range, text) => {
    const error = thrownBy(() => expandHosts([`http://node-${range}`]));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(text);
  });

  it('counts the names of all patterns together', () => {
    expect(expandHosts(['http://a{1...4096}'])).toHaveLength(4096);
    expect(thrownBy(() => expandHosts(['http://a{1...4096}', 'http://b'])).message).toContain('may be 4096');
  });
});

describe('the list of hosts', () => {
  it.each([
    'http://node-1:9000',
    'https://node-1',
    'https://node-1:443',
    'ws://[::1]:9003',
    'wss://10.0.0.1:1',
    'http://a',
  ])('takes %s', (host) => expect(verifyHosts(host, [host])).toEqual([host]));

  it.each([
    ['http://Node-1:9000', "write 'http://node-1:9000'"],
    ['http://node-1:9000/', "write 'http://node-1:9000'"],
    ['http://node-1:9000/grid', "write 'http://node-1:9000'"],
    ['HTTP://node-1', "write 'http://node-1'"],
    ['http://node-1:09000', "write 'http://node-1:9000'"],
    ['http://user:pw@node-1', "write 'http://node-1'"],
    ['http://node-1?x', "write 'http://node-1'"],
    ['http://node-1:0', 'has port 0'],
    ['http://nöd', "write 'http://xn--nd-fka'"],
    ['node-1:9000', 'is not an origin'],
    ['ftp://node-1', 'http, https, ws or wss'],
    ['http://', 'is not an origin'],
    ['', 'is not an origin'],
    ['node', 'write it like http://node-1:9000'],
  ])('refuses %s', (host, text) => {
    const error = thrownBy(() => verifyHosts('http://a', ['http://a', host]));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(text);
  });

  it.each(['http://user:open-sesame@node-1', 'user:open-sesame@node-1', 'http://user:open-sesame@node-{1..2}'])(
    'does not repeat a password that stands in a name: %s',
    (name) => {
      const text = thrownBy(() => verifyHosts(name, [name])).message;
      expect(text).toContain('***@node-');
      expect(text).not.toContain('sesame');
    },
  );

  it('refuses an empty one', () => {
    expect(thrownBy(() => verifyHosts('http://a', [])).message).toContain('the list is empty');
  });

  it('refuses a host twice, also in two spellings, and says when it is local', () => {
    expect(thrownBy(() => verifyHosts('http://a', ['http://a', 'http://b', 'http://b'])).message).toContain(
      "'http://b' stands in the list twice",
    );
    expect(thrownBy(() => verifyHosts('http://a', ['http://a', 'http://a'])).message).toContain('(it is local)');
    expect(thrownBy(() => verifyHosts('http://a', ['http://a', 'http://b', 'http://b:80'])).message).toContain(
      "'http://b' and 'http://b:80' are one host",
    );
  });

  describe('B44 without local', () => {
    it('names local and the list', () => {
      const { message } = thrownBy(() => verifyHosts('http://c:9000', ['http://node-{1...2}:9000']));
      expect(message).toContain(
        "local: 'http://c:9000' is not one of the hosts (http://node-1:9000, http://node-2:9000)",
      );
      expect(message).not.toContain('differs');
    });

    it.each([
      ['http://node-1:9001', "'http://node-1:9000' differs only in its port"],
      ['https://node-1:9000', "'http://node-1:9000' differs only in its scheme"],
      ['https://node-1:9001', "'http://node-1:9000' differs only in its scheme and port"],
    ])('tells what differs from %s', (local, text) => {
      expect(thrownBy(() => verifyHosts(local, ['http://node-1:9000'])).message).toContain(text);
    });

    it('does not print a list of hundreds', () => {
      const { message } = thrownBy(() => verifyHosts('http://c', ['http://node-{1...500}']));
      expect(message).toContain('and 468 more');
      expect(message.length).toBeLessThan(1_000);
    });
  });
});
