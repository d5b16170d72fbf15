import { posix } from 'node:path';
import { builtinModules } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import { importsOf, loadsOf, manifest, sourcesOf, type SourceFile } from './sources.js';

/** What each room of lib may import, beside itself. Nothing lower ever learns a word from above. */
const BELOW: Record<string, readonly string[]> = {
  errors: [],
  time: [],
  observe: ['errors'],
  wire: ['errors', 'time', 'observe'],
  mux: ['errors', 'time', 'observe', 'wire'],
  calls: ['errors', 'time', 'observe', 'wire', 'mux'],
  connection: ['errors', 'time', 'observe', 'wire', 'mux'],
  manager: ['errors', 'time', 'observe', 'wire', 'mux', 'calls', 'connection'],
  nest: ['errors', 'time', 'observe', 'wire', 'mux', 'calls', 'connection', 'manager'],
  otel: ['errors', 'calls', 'manager', 'nest'],
  prometheus: ['errors', 'manager', 'nest'],
  terminus: ['errors', 'manager', 'nest'],
  testing: ['errors', 'time', 'observe', 'wire', 'mux', 'calls', 'connection', 'manager', 'nest'],
  // the doors: lib/core.ts and lib/index.ts
  core: ['errors', 'time', 'observe', 'wire', 'mux', 'calls', 'connection', 'manager'],
  index: ['errors', 'time', 'observe', 'wire', 'mux', 'calls', 'connection', 'manager', 'nest', 'core'],
};
const MAY_KNOW_NEST = new Set(['nest', 'testing', 'index', 'otel', 'prometheus', 'terminus']);
/** Optional peers, and the only file that may load each. */
const OWN_PACKAGE: Record<string, string> = {
  '@opentelemetry/api': 'lib/otel.ts',
  'prom-client': 'lib/prometheus.ts',
  '@nestjs/terminus': 'lib/terminus.ts',
};

const files = sourcesOf('lib');

function roomOf(path: string): string {
  const [, first, second] = path.split('/') as [string, string, string | undefined];
  return second === undefined ? first.replace(/\.ts$/, '') : first;
}

/** The arrows of one file that its room forbids, as `lib/a/x.ts -> lib/b/y.ts`. */
function wrongArrows(file: SourceFile): string[] {
  const room = roomOf(file.path);
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => posix.join(posix.dirname(file.path), specifier))
    .filter((target) => {
      const other = roomOf(target.replace(/\.js$/, '.ts'));
      return !target.startsWith('lib/') || (other !== room && !BELOW[room]?.includes(other));
    })
    .map((target) => `${file.path} -> ${target}`);
}

/** Files that load each other, each circle once, as `a.ts -> b.ts -> a.ts`. */
function circles(among: readonly SourceFile[]): string[] {
  const loads = new Map(
    among.map((file) => {
      const targets = loadsOf(file).filter((specifier) => specifier.startsWith('.'));
      return [file.path, targets.map((target) => posix.join(posix.dirname(file.path), target).replace(/\.js$/, '.ts'))];
    }),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, way: readonly string[]): void => {
    const since = way.indexOf(path);
    if (since >= 0) found.push([...way.slice(since), path].join(' -> '));
    if (since >= 0 || done.has(path)) return;
    for (const target of loads.get(path) ?? []) walk(target, [...way, path]);
    done.add(path);
  };
  for (const path of loads.keys()) walk(path, []);
  return found;
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

describe('the arrows between the rooms of lib', () => {
  test('every file is in a room that is known', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.map((file) => roomOf(file.path)).filter((room) => !(room in BELOW))).toEqual([]);
  });

  test('no import points up', () => {
    expect(files.flatMap(wrongArrows)).toEqual([]);
  });

  test('an arrow that points up would be found', () => {
    const up = { path: 'lib/wire/x.ts', text: "import { Mux } from '../mux/index.js';\nexport * from './op.js';" };
    expect(wrongArrows(up)).toEqual(['lib/wire/x.ts -> lib/mux/index.js']);
    const lazy = { path: 'lib/manager/x.ts', text: "const m = await import('../nest/grid.js');" };
    expect(wrongArrows(lazy)).toEqual(['lib/manager/x.ts -> lib/nest/grid.js']);
    const out = { path: 'lib/nest/x.ts', text: "import '../../sample/storage/src/main.js';" };
    expect(wrongArrows(out)).toHaveLength(1);
  });

  test('no files load each other in a circle', () => {
    expect(circles(files)).toEqual([]);
  });

  test('a circle would be found, and one of types alone is none', () => {
    const a = { path: 'lib/a.ts', text: "import { b } from './x/b.js';\nexport const a = () => b;" };
    const b = { path: 'lib/x/b.ts', text: "export * from './c.js';\nexport const b = 1;" };
    const c = { path: 'lib/x/c.ts', text: "import { a } from '../a.js';\nexport const c = () => a;" };
    expect(circles([a, b, c])).toEqual(['lib/a.ts -> lib/x/b.ts -> lib/x/c.ts -> lib/a.ts']);
    const text = "import { type a } from '../a.js';\nexport const c = (_: typeof a) => 1;";
    const typed = { path: 'lib/x/c.ts', text };
    expect(circles([a, b, typed])).toEqual([]);
  });

  test('below lib/nest nothing knows Nest', () => {
    const knowing = files
      .filter((file) => !MAY_KNOW_NEST.has(roomOf(file.path)))
      .filter((file) => importsOf(file).some((name) => name.startsWith('@nestjs/') || name === 'reflect-metadata'));
    expect(knowing.map((file) => file.path)).toEqual([]);
  });

  test('an integration is loaded by who imports it, and by nobody else', () => {
    const loaded = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier in OWN_PACKAGE)
        .map((specifier) => [specifier, file.path]),
    );
    expect(Object.fromEntries(loaded)).toEqual(OWN_PACKAGE);
    expect(loaded).toHaveLength(Object.keys(OWN_PACKAGE).length);
  });

  test('relative imports name the file that runs', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.') && !specifier.endsWith('.js'))
        .map((specifier) => `${file.path}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test('only declared packages, Node itself by node:, and no private part of Nest', () => {
    const { dependencies, peerDependencies } = manifest();
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith('.'))
        .filter((specifier) =>
          specifier.startsWith('node:')
            ? !builtinModules.includes(specifier.slice('node:'.length))
            : !declared.has(packageOf(specifier)) || /^@nestjs\/\w+\/(internal|dist)/.test(specifier),
        )
        .map((specifier) => `${file.path}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});
