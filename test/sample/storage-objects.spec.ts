import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ChunkPipe } from '../../sample/storage/src/objects/chunk-pipe.js';
import { mergeWalks } from '../../sample/storage/src/objects/merge-walks.js';
import { KeyError, keyOfPath, pathOfKey } from '../../sample/storage/src/objects/object-path.js';
import { rank, replicasOf } from '../../sample/storage/src/objects/placement.js';
import { decodeSeal, encodeSeal, SEAL_BYTES } from '../../sample/storage/src/objects/seal.js';
import { isVersion, nextVersion } from '../../sample/storage/src/objects/version.js';

describe('the path of a key', () => {
  it.each(['a', 'a/b', 'lib/mux/mux.ts', 'ünï/日本 語', 'a@object', 'x%2Fy', '...', '*?&', '💡'])(
    '%s comes back',
    (key) => {
      expect(keyOfPath(pathOfKey(key))).toBe(key);
      expect(pathOfKey(key)).toMatch(/^objects\/[\w./%@!~'()-]+@object$/);
    },
  );

  it('is another one for each key, also for a folder of the same name', () => {
    expect(pathOfKey('a')).toBe('objects/a@object');
    expect(pathOfKey('a@object/b')).toBe('objects/a%40object/b@object');
  });

  it.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', 'x'.repeat(241), 'a/'.repeat(600) + 'a', '\ud800'])(
    '%j is refused',
    (key) => {
      expect(() => pathOfKey(key)).toThrow(KeyError);
    },
  );

  it('is no key for other files', () => {
    for (const path of ['format.json', 'objects/a', 'uploads/a@object', 'objects/%E0@object']) {
      expect(keyOfPath(path)).toBeUndefined();
    }
  });
});

describe('placement', () => {
  it('is the same everywhere, spread evenly, and moves little', () => {
    const counts = [0, 0, 0, 0];
    for (let index = 0; index < 4000; index++) {
      const key = `key-${index}`;
      const replicas = replicasOf(key, 4, 3);
      expect(new Set(replicas).size).toBe(3);
      for (const node of replicas) counts[node]!++;
      // a fifth node pushes others back, it changes no order among them
      expect(rank(key, 5).filter((node) => node !== 4)).toEqual(rank(key, 4));
    }
    for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(150);
  });

  it('is pinned: another order would lose every object that is stored', () => {
    expect([rank('a', 4), rank('lib/index.ts', 4), rank('', 4)]).toEqual([
      [3, 0, 2, 1],
      [2, 1, 3, 0],
      [1, 0, 3, 2],
    ]);
  });
});

describe('versions', () => {
  it('are always newer than the one before, whatever the clock says', () => {
    expect(nextVersion(1, undefined, 1_000)).toBe('00000000001000-001');
    expect(nextVersion(2, '00000000001000-001', 900)).toBe('00000000001001-002');
    expect(nextVersion(2, '00000000001000-001', 2_000)).toBe('00000000002000-002');
    let before: string | undefined;
    for (let index = 0; index < 100; index++) {
      const next = nextVersion(index % 4, before);
      expect(isVersion(next)).toBe(true);
      expect(next > (before ?? '')).toBe(true);
      before = next;
    }
  });
});

describe('a seal', () => {
  const seal = {
    version: nextVersion(3, undefined),
    size: 7,
    sha256: createHash('sha256').digest('hex'),
    deleted: false,
    type: 'text/plain',
  };

  it('has always the same length and comes back', () => {
    expect(encodeSeal(seal)).toHaveLength(SEAL_BYTES);
    expect(decodeSeal(7 + SEAL_BYTES, encodeSeal(seal))).toEqual(seal);
    for (const type of ['x'.repeat(1000), 'ü', 'a\nb']) {
      const encoded = encodeSeal({ ...seal, type });
      expect(encoded).toHaveLength(SEAL_BYTES);
      expect(decodeSeal(7 + SEAL_BYTES, encoded)?.type).toBe('application/octet-stream');
    }
    expect(encodeSeal({ ...seal, type: '"'.repeat(120), size: Number.MAX_SAFE_INTEGER })).toHaveLength(SEAL_BYTES);
  });

  it('fits only its own file, whole', () => {
    const encoded = encodeSeal(seal);
    expect(decodeSeal(6 + SEAL_BYTES, encoded)).toBeUndefined();
    expect(decodeSeal(100, encoded.subarray(0, 100))).toBeUndefined();
    expect(decodeSeal(7 + SEAL_BYTES, Buffer.alloc(SEAL_BYTES, ' '))).toBeUndefined();
    expect(decodeSeal(7 + SEAL_BYTES, Buffer.from('null'.padEnd(SEAL_BYTES)))).toBeUndefined();
  });
});

describe('merged walks', () => {
  async function* walk(paths: string, closed?: () => void): AsyncGenerator<{ path: string }> {
    try {
      for (const path of paths) {
        if (path === '!') throw new Error('remote disconnected');
        yield { path };
      }
    } finally {
      closed?.();
    }
  }
  async function merged(...walks: string[]): Promise<string[]> {
    const lines: string[] = [];
    for await (const { path, found } of mergeWalks(walks.map((paths) => walk(paths)))) {
      lines.push(path + found.map((entry) => (entry ? '+' : '-')).join(''));
    }
    return lines;
  }

  it('bring together what has the same path', async () => {
    expect(await merged('abd', 'bc', 'd')).toEqual(['a+--', 'b++-', 'c-+-', 'd+-+']);
    expect(await merged('', '')).toEqual([]);
    expect(await merged()).toEqual([]);
  });

  it('fail with any of them: one that is cut is not one that ended', async () => {
    await expect(merged('abc', 'ab!')).rejects.toThrow('remote disconnected');
    await expect(merged('!', 'ab')).rejects.toThrow('remote disconnected');
  });

  it('fail where one is not in order', async () => {
    await expect(merged('acb')).rejects.toThrow('walk 0 is out of order at b');
    await expect(merged('aa')).rejects.toThrow('out of order');
  });

  it('leave none of them open', async () => {
    let open = 3;
    const walks = ['abc', 'abc', 'a!'].map((paths) => walk(paths, () => open--));
    await expect(
      (async () => {
        for await (const _ of mergeWalks(walks));
      })(),
    ).rejects.toThrow('remote disconnected');
    expect(open).toBe(0);

    open = 2;
    for await (const _ of mergeWalks(['abc', 'b'].map((paths) => walk(paths, () => open--)))) break;
    expect(open).toBe(0);
  });
});

describe('a chunk pipe', () => {
  const chunk = (value: number): Uint8Array => Uint8Array.of(value);

  it('hands over in order, at the pace of the reader', async () => {
    const pipe = new ChunkPipe();
    const reader = pipe[Symbol.asyncIterator]();
    let written = 0;
    const writer = (async () => {
      for (let value = 1; value <= 3; value++) {
        await pipe.write(chunk(value));
        written = value;
      }
      pipe.end();
    })();
    for (let value = 1; value <= 3; value++) {
      expect((await reader.next()).value).toEqual(chunk(value));
      // the one in the reader's hand is not done before it asks for the next
      expect(written).toBe(value - 1);
    }
    expect((await reader.next()).done).toBe(true);
    await writer;
  });

  it('fails both ends', async () => {
    const pipe = new ChunkPipe();
    const write = pipe.write(chunk(1));
    pipe.fail(new Error('cut'));
    await expect(write).rejects.toThrow('cut');
    await expect(pipe.write(chunk(2))).rejects.toThrow('cut');
    await expect(pipe[Symbol.asyncIterator]().next()).rejects.toThrow('cut');
  });

  it('lets no writer wait for a reader that went away', async () => {
    const pipe = new ChunkPipe();
    const write = pipe.write(chunk(1));
    for await (const _ of pipe) break;
    await expect(write).rejects.toThrow('the reader went away');
    await expect(pipe.write(chunk(2))).rejects.toThrow('the reader went away');
  });
});
