import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freeHosts } from '../ports.js';
import { run } from './process.js';
import { manifest, readText, ROOT } from './sources.js';

/** Whatever an empty Nest app depends on, in the versions that this project is tested with. */
const NEST_APP = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  'reflect-metadata',
  'rxjs',
];
const INSTALL = ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
const TSC = join(ROOT, 'node_modules/.bin/tsc');
/** TypeScript 6, the last that can be told to look for packages as it did before they had `exports`. */
const OLD_TSC = join(ROOT, 'node_modules/.bin/tsc6');

const folder = mkdtempSync(join(tmpdir(), 'nestjs-grid-pack-'));
let packed: { filename: string; files: { path: string; size: number }[] };

function installedVersion(name: string): string {
  const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(join(folder, path), JSON.stringify(value, null, 2));
}

/** A folder of the app whose files are of one module kind, with its compiler settings. */
function compilation(kind: 'module' | 'commonjs', sources: string[]): void {
  mkdirSync(join(folder, kind));
  writeJson(`${kind}/package.json`, { type: kind });
  for (const source of sources) cpSync(join(ROOT, 'test/project/consumer', source), join(folder, kind, source));
  writeJson(`${kind}/tsconfig.json`, {
    compilerOptions: {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      declaration: true,
      skipLibCheck: kind === 'commonjs',
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
      rootDir: '.',
      outDir: 'out',
    },
    include: ['*.ts', '*.mts'],
  });
}

beforeAll(async () => {
  const pack = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT });
  [packed] = JSON.parse(pack.stdout) as [typeof packed];
  writeJson('package.json', {
    name: 'empty-nest-app',
    private: true,
    dependencies: {
      ...Object.fromEntries(NEST_APP.map((name) => [name, installedVersion(name)])),
      'nestjs-grid': `file:${packed.filename}`,
    },
  });
  const install = await run('npm', INSTALL, { cwd: folder, hangMs: 110_000 });
  if (install.code !== 0) throw new Error(`npm install failed:\n${install.stderr}`);
  compilation('module', ['main.ts', 'core.mts', 'wrappers.ts']);
  compilation('commonjs', ['main.ts']);
  const subpaths = Object.keys(manifest().exports).filter((subpath) => /^\.\/\w+$/.test(subpath));
  const names = subpaths.map((subpath) => subpath.slice(2));
  const lines = names.map((name) => `export type * as ${name} from 'nestjs-grid/${name}';`);
  writeFileSync(join(folder, 'commonjs/subpaths.ts'), lines.join('\n'));
  writeJson('commonjs/old.json', {
    extends: './tsconfig.json',
    compilerOptions: { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', outDir: 'old' },
    include: ['*.ts'],
  });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed tarball in an empty Nest app', () => {
  test('holds what runs, its types, and the texts; no source, no test, no sample', () => {
    const paths = packed.files.map((file) => file.path);
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']));
    expect(paths).toEqual(expect.arrayContaining(['dist/index.js', 'dist/core.d.ts', 'dist/testing/index.js']));
    const linked = [...readText('README.md').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path);
    expect(paths).toEqual(expect.arrayContaining(linked));
    const known = /^(?:dist\/[\w/.-]+\.(?:js|js\.map|d\.ts)|(?:docs\/)?[A-Z-]+\.md|LICENSE|package\.json)$/;
    expect(paths.filter((path) => !known.test(path))).toEqual([]);
  });

  test('has the code of the frame codec once, not in its types', () => {
    const sizeOf = (end: string): number => packed.files.find(({ path }) => path.endsWith(end))!.size;
    expect(sizeOf('codec-modules.js')).toBeGreaterThan(10_000);
    expect(sizeOf('codec-modules.d.ts')).toBeLessThan(200);
  });

  test('brings its own dependencies only', () => {
    const installed = readFileSync(join(folder, 'node_modules/nestjs-grid/package.json'), 'utf8');
    const { dependencies } = JSON.parse(installed) as { dependencies: Record<string, string> };
    expect(dependencies).toEqual(manifest().dependencies);
  });

  for (const kind of ['module', 'commonjs'] as const) {
    test(`compiles and calls between two grids as ${kind === 'module' ? 'ESM' : 'CommonJS'}`, async () => {
      const compiled = await run(TSC, ['-p', kind], { cwd: folder });
      expect(compiled).toMatchObject({ code: 0, stdout: '' });
      const ran = await run('node', [join(kind, 'out/main.js'), ...(await freeHosts(2))], { cwd: folder });
      expect(ran).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(ran.stdout)).toEqual({ echo: true, counted: [1, 2, 3], unknown: 'UNIMPLEMENTED' });
    }, 60_000);
  }

  test('compiles and calls in a CommonJS app of old: module commonjs, which knows no exports', async () => {
    const compiled = await run(OLD_TSC, ['-p', 'commonjs/old.json'], { cwd: folder });
    expect(compiled).toMatchObject({ code: 0, stdout: '' });
    const ran = await run('node', ['commonjs/old/main.js', ...(await freeHosts(2))], { cwd: folder });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual({ echo: true, counted: [1, 2, 3], unknown: 'UNIMPLEMENTED' });
  }, 60_000);

  test('a contract of a package with a copy of its own keeps its types', async () => {
    const contracts = join(folder, 'module/contracts');
    cpSync(join(ROOT, 'test/project/consumer/contracts'), contracts, { recursive: true });
    cpSync(join(folder, 'node_modules/nestjs-grid'), join(contracts, 'node_modules/nestjs-grid'), { recursive: true });
    writeJson('module/contracts/package.json', { type: 'module' });
    // of another version: the compiler takes two copies of one version for the same
    const copied = 'module/contracts/node_modules/nestjs-grid/package.json';
    writeJson(copied, { ...JSON.parse(readFileSync(join(folder, copied), 'utf8')), version: '0.0.1' });
    cpSync(join(ROOT, 'test/project/consumer/two-copies.ts'), join(folder, 'module/two-copies.ts'));
    const options = { extends: './tsconfig.json', compilerOptions: { noEmit: true }, include: ['two-copies.ts'] };
    writeJson('module/two-copies.json', options);
    const compiled = await run(TSC, ['-p', 'module/two-copies.json'], { cwd: folder });
    expect(compiled).toMatchObject({ code: 0, stdout: '' });
  }, 60_000);

  test('the core and the testing tools work by their subpaths', async () => {
    const compiled = await run(TSC, ['-p', 'module'], { cwd: folder });
    expect(compiled).toMatchObject({ code: 0, stdout: '' });
    const ran = await run('node', ['module/out/core.mjs', ...(await freeHosts(2))], { cwd: folder });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual({ echo: 'hello without Nest', advanced: 5, error: 'UNKNOWN: x' });
  }, 60_000);

  test('plain CommonJS reaches every subpath by require', async () => {
    const script = `
      const loaded = ['nestjs-grid', 'nestjs-grid/core', 'nestjs-grid/testing'].map((name) => require(name));
      console.log(JSON.stringify([
        typeof loaded[0].GridModule.forRoot, typeof loaded[1].GridManager, typeof loaded[2].ManualClock,
        loaded[0].GridError === loaded[1].GridError, require('nestjs-grid/package.json').version,
      ]));`;
    const ran = await run('node', ['-e', script], { cwd: folder });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual(['function', 'function', 'function', true, manifest().version]);
  });

  test('without the packages of the integrations all else works, and each names what it misses', async () => {
    const missing = { otel: '@opentelemetry/api', prometheus: 'prom-client', terminus: '@nestjs/terminus' };
    for (const [subpath, name] of Object.entries(missing)) {
      expect(existsSync(join(folder, 'node_modules', name))).toBe(false);
      expect(manifest().peerDependenciesMeta[name]).toEqual({ optional: true });
      const ran = await run('node', ['--input-type=module', '-e', `import 'nestjs-grid/${subpath}'`], { cwd: folder });
      expect(ran.code).not.toBe(0);
      expect(ran.stderr).toContain(`Cannot find package '${name}'`);
    }
  });

  test('is made of a clean build: what an earlier one left in dist does not travel', async () => {
    const clone = join(folder, 'clone');
    for (const path of ['package.json', 'tsconfig.json', 'lib'])
      cpSync(join(ROOT, path), join(clone, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'), 'junction');
    mkdirSync(join(clone, 'dist'));
    writeFileSync(join(clone, 'dist/gone.js'), '');
    expect(await run('npm', ['run', '--silent', 'prepack'], { cwd: clone })).toMatchObject({ code: 0, stderr: '' });
    const pack = await run('npm', ['pack', '--json', '--dry-run', '--ignore-scripts'], { cwd: clone });
    const [{ files }] = JSON.parse(pack.stdout) as [typeof packed];
    const paths = files.map(({ path }) => path);
    expect(paths).toContain('dist/index.js');
    expect(paths).not.toContain('dist/gone.js');
  }, 120_000);

  test('what stands behind the doors cannot be imported', async () => {
    const ran = await run('node', ['-e', "require('nestjs-grid/dist/mux/index.js')"], { cwd: folder });
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});
