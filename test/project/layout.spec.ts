import { existsSync, readdirSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { codeOf, importsOf, loadsOf, manifest, readText, ROOT, sourcesOf, type SourceFile } from './sources.js';

/** Everything that may stand at the top of the project; what git ignores is not counted. */
const TOP_LEVEL = [
  '.ci',
  '.gitignore',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'docs',
  'lib',
  'nest-cli.json',
  'package-lock.json',
  'package.json',
  'sample',
  'test',
  'tsconfig.json',
];
const IGNORED = new Set(['.git', 'node_modules', 'dist', 'coverage', '.DS_Store']);

/**
 * What lib loads from below Nest's entry points. Nest promises none of it, and what a release does not have keeps the
 * package from being loaded at all: each of them is there in the lowest releases that `peerDependencies` allow.
 */
const BELOW_NEST = [
  '@nestjs/common/constants.js',
  '@nestjs/core/helpers/context-utils.js',
  '@nestjs/core/helpers/execution-context-host.js',
  '@nestjs/microservices/constants.js',
  '@nestjs/microservices/context/exception-filters-context.js',
  '@nestjs/microservices/context/request-context-host.js',
  '@nestjs/microservices/enums/rpc-paramtype.enum.js',
];

/** Fields without a first value that no constructor gives one: they would not be there at all (see tsconfig.json). */
function silentFields({ path, text }: SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isClassLike(node)) {
      const constructing = node.members.find(ts.isConstructorDeclaration)?.getText() ?? '';
      for (const member of node.members) {
        if (!ts.isPropertyDeclaration(member) || member.initializer || member.exclamationToken) continue;
        const name = member.name.getText();
        if (!constructing.includes(`this.${name} = `)) found.push(`${path}: ${name}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** Lines over 120 characters, as `path:line`. */
function longLines({ path, text }: SourceFile): string[] {
  return text.split('\n').flatMap((line, index) => (line.length > 120 ? [`${path}:${index + 1}`] : []));
}

describe('the layout of the project', () => {
  test('the top level holds what is needed and nothing else', () => {
    const found = readdirSync(ROOT).filter((name) => !IGNORED.has(name) && !/\.(tgz|log)$/.test(name));
    expect(found.toSorted()).toEqual(TOP_LEVEL.toSorted());
  });

  test('every file of lib has a noun for a name', () => {
    const nameless = /^(utils?|helpers?|common|types?|misc|shared|constants?|interfaces?)(\.|$)/;
    const wrong = sourcesOf('lib').filter(({ path }) => path.split('/').some((part) => nameless.test(part)));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test('every file of lib is reached from an entry point of the package: what nobody can load does not ship', () => {
    const built = JSON.stringify(manifest().exports).matchAll(/dist\/([\w/]+)\.js"/g);
    const left = new Map(sourcesOf('lib').map((file) => [file.path, file]));
    const reached = [...built].map(([, entry]) => `lib/${entry}.ts`);
    for (const path of reached) {
      const file = left.get(path);
      if (!left.delete(path)) continue;
      const near = importsOf(file!).filter((name) => name.startsWith('.'));
      reached.push(...near.map((name) => posix.join(posix.dirname(path), name.replace(/js$/, 'ts'))));
    }
    expect([...left.keys()]).toEqual([]);
  });

  test('lib loads nothing from inside Nest that its lowest release does not have', () => {
    const below = sourcesOf('lib').flatMap(loadsOf).filter((name) => /^@nestjs\/[\w-]+\//.test(name));
    expect([...new Set(below)].toSorted()).toEqual(BELOW_NEST);
    // ClientProxy has what GridClient builds its packets with since 12.0.4
    expect(manifest().peerDependencies).toMatchObject({
      '@nestjs/common': '^12.0.0',
      '@nestjs/core': '^12.0.0',
      '@nestjs/microservices': '^12.0.4',
    });
  });

  test('a field of lib that is empty at first says so', () => {
    const silent = 'class C { a: string | undefined; b?: number; c: number | undefined = undefined; d: D | undefined;';
    const filled = `${silent} constructor(readonly e: E | undefined) { this.d = e; } }`;
    expect(silentFields({ path: 'x.ts', text: filled })).toEqual(['x.ts: a', 'x.ts: b']);
    expect(sourcesOf('lib').flatMap(silentFields)).toEqual([]);
  });

  test('no line of code is longer than 120 characters', () => {
    expect(longLines({ path: 'x.ts', text: `${'ü'.repeat(120)}\n${'x'.repeat(121)}` })).toEqual(['x.ts:2']);
    const files = ['lib', 'sample', 'test', '.ci'].flatMap(codeOf);
    expect(files.length).toBeGreaterThan(500);
    expect(files.flatMap(longLines)).toEqual([]);
  });

  test('no test is skipped, singled out or repeated until it passes', () => {
    const evasive =
      /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(|retryTimes\(/;
    const wrong = sourcesOf('test').filter(
      (file) => basename(file.path) !== 'layout.spec.ts' && evasive.test(file.text),
    );
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test('the scripts that the README and the build machine call exist, and so does what they start', () => {
    const { scripts } = manifest();
    for (const name of ['build', 'start', 'test', 'lint', 'typecheck', 'bench', 'conformance', 'sample']) {
      expect(scripts).toHaveProperty(name);
    }
    const starts = Object.values(scripts).flatMap((script) => [
      ...script.matchAll(/exec node (?:--[\w-]+ )*([\w/.-]+)/g),
    ]);
    for (const [, built] of starts) {
      const sources = ['/src/', '/'].map((folder) => built!.replace('/dist/', folder).replace(/js$/, 'ts'));
      // what takes files from outside of its folder is laid out from the top
      sources.push(built!.replace(/^.*\/dist\//, '').replace(/js$/, 'ts'));
      if (!built!.includes('/dist/')) sources.push(built!);
      expect([built, sources.some((source) => existsSync(join(ROOT, source)))]).toEqual([built, true]);
    }
  });

  test('a signal to npm reaches what runs for long: no shell stays in between', () => {
    const { scripts } = manifest();
    for (const name of ['start', 'conformance', 'bench', 'sample'])
      expect(scripts[name]).toMatch(/^exec node [\w/.-]+$/);
  });

  test('every sample is a project of nest-cli.json, with the compiler settings it names', () => {
    const { projects } = JSON.parse(readText('nest-cli.json')) as {
      projects: Record<string, { root: string; type: string; compilerOptions: { tsConfigPath: string } }>;
    };
    const entries = readdirSync(join(ROOT, 'sample'), { withFileTypes: true });
    const samples = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `sample/${name}`);
    const listed = Object.values(projects)
      .filter((project) => project.type === 'application')
      .map(({ root }) => root);
    expect(listed.toSorted()).toEqual(samples.toSorted());
    for (const { compilerOptions } of Object.values(projects)) {
      expect(existsSync(join(ROOT, compilerOptions.tsConfigPath))).toBe(true);
    }
  });

  test('the lock file is complete and names no registry', () => {
    const lock = JSON.parse(readText('package-lock.json')) as {
      packages: Record<
        string,
        { integrity?: string; resolved?: string; optional?: true; os?: string[]; optionalDependencies?: object }
      >;
    };
    const { dependencies, devDependencies } = manifest();
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      expect(lock.packages).toHaveProperty([`node_modules/${name}`]);
    }
    const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
    expect(packages.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
    // a registry may lack what is built for other systems: their checksums may be unknown, but npm ci wants them named
    expect(packages.filter(([, entry]) => entry.integrity === undefined && !(entry.optional && entry.os))).toEqual([]);
    for (const [path, { optionalDependencies = {} }] of packages) {
      for (const name of Object.keys(optionalDependencies)) {
        const entry = lock.packages[`${path}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`];
        expect([path, name, entry]).not.toEqual([path, name, undefined]);
      }
    }
  });

  test('few run-time dependencies, each named in the README with its reason', () => {
    const named = [...readText('README.md').matchAll(/^\| `([\w@/-]+)` \| (.+) \|$/gm)];
    const reasons = new Map(named.map(([, name, reason]) => [name, reason]));
    const names = Object.keys(manifest().dependencies);
    expect(names.length).toBeLessThanOrEqual(4);
    for (const name of names) expect(reasons.get(name)?.length ?? 0).toBeGreaterThan(20);
  });
});
