import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { freePorts } from '../ports.js';
import { codeBlocksOf, type CodeBlock } from './markdown.js';
import { run } from './process.js';
import { manifest, readText, ROOT, sourcesOf } from './sources.js';

const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
/** Inside the package, so that `nestjs-grid` is what was built: the blocks meet what users get. */
const FOLDER = join(ROOT, 'test/project/dist/docs');
const TSC = join(ROOT, 'node_modules/.bin/tsc');
const STARTED = 'docs/GETTING-STARTED.md';
const SECRET = 'a secret of the documents, 32 bytes or more';
/** Long enough for two processes on a busy machine to start and find each other. */
const HANG_MS = 30_000;

const blocks = DOCUMENTS.flatMap((document) => codeBlocksOf(document));
const typescript = blocks.filter(({ info }) => /^ts\b/.test(info));

/** A block that starts with a comment of its file's name is that file of its document; any other stands alone. */
function fileOf({ document, line, code }: CodeBlock): string {
  // this project's own run of jest must not take a spec of a document for one of its own
  const name = /^\/\/ ([\w.-]+)\.ts\b/.exec(code)?.[1]?.replace('.spec', '.test');
  const folder = document
    .replace(/^docs\//, '')
    .replace('.md', '')
    .toLowerCase();
  return join(folder, `${name ?? `line-${line}`}.ts`);
}

/** The first screen names hosts and a port that a test machine does not have. Nothing else of it is touched. */
function onLoopback(code: string, ports: readonly [number, number]): string {
  return code
    .replace('http://node-{1...4}:9000', `http://127.0.0.1:{${ports[0]}...${ports[1]}}`)
    .replace("peer('http://node-2:9000')", `peer('http://127.0.0.1:${ports[1]}')`)
    .replace('listen(9000)', "listen(Number(new URL(process.env.GRID_LOCAL!).port), '127.0.0.1')");
}

/** Getting started has two hosts on the loopback; its tests are written for the runner of a new Nest project. */
function startedHere(code: string, ports: readonly [number, number]): string {
  return code
    .replaceAll('9001', `${ports[0]}`)
    .replaceAll('9002', `${ports[1]}`)
    .replace("from 'vitest'", "from '@jest/globals'");
}

let ports: [number, number];

beforeAll(async () => {
  ports = (await freePorts(2)) as [number, number];
  rmSync(FOLDER, { recursive: true, force: true });
  for (const block of typescript) {
    const file = join(FOLDER, fileOf(block));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, (block.document === STARTED ? startedHere : onLoopback)(block.code, ports));
  }
  const compilerOptions = { rootDir: '.', outDir: 'out', paths: {}, declaration: false, noUnusedLocals: false };
  writeFileSync(
    join(FOLDER, 'tsconfig.json'),
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['**/*.ts'], exclude: ['out'] }),
  );
});

describe('the code in the documents', () => {
  test('every TypeScript block compiles', async () => {
    expect(typescript.length).toBeGreaterThan(8);
    expect(await run(TSC, ['-p', FOLDER])).toMatchObject({ code: 0, stdout: '' });
  }, 60_000);

  for (const block of typescript.filter(({ info }) => info === 'ts run')) {
    test(`${block.document}:${block.line} runs`, async () => {
      const ran = await run('node', [join(FOLDER, 'out', fileOf(block).replace(/ts$/, 'js'))], { hangMs: HANG_MS });
      // a console.assert that does not hold writes there
      expect(ran).toMatchObject({ code: 0, stderr: '' });
    }, 60_000);
  }

  test('the first screen of the README runs as two processes that call each other', async () => {
    const origins = ports.map((port) => `http://127.0.0.1:${port}`);
    const env = { ...process.env, NODE_OPTIONS: '', GRID_SECRET: SECRET };
    const main = join(FOLDER, 'out/readme/main.js');
    const apps = origins.map((origin) =>
      spawn('node', [main], { env: { ...env, GRID_LOCAL: origin }, stdio: 'ignore' }),
    );
    try {
      const answer = await answerOf(async () => {
        const response = await fetch(`${origins[0]}/inventory`);
        return response.ok ? await response.json() : undefined;
      });
      expect(answer).toEqual({ info: { free: 0, asked: origins[0] }, names: ['photos/a.jpg', 'photos/b.jpg'] });
    } finally {
      for (const app of apps) app.kill('SIGKILL');
    }
  }, 60_000);

  test('Getting started runs: two services, traced, measured and healthy', async () => {
    const [shop, stock] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
    // spans are printed in batches
    const env = { ...process.env, NODE_OPTIONS: '', GRID_SECRET: SECRET, OTEL_BSP_SCHEDULE_DELAY: '50' };
    const printed = { shop: '', stock: '' };
    const apps = Object.entries({ shop, stock }).map(([service, origin]) => {
      const main = join(FOLDER, 'out/getting-started/main.js');
      const app = spawn('node', [main], {
        env: { ...env, SERVICE: service, GRID_LOCAL: origin },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      app.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed[service as keyof typeof printed] += chunk));
      return app;
    });
    const json = async (path: string, method = 'GET'): Promise<unknown> => {
      const response = await fetch(shop + path, { method });
      return response.ok ? await response.json() : undefined;
    };
    const tracesOf = (text: string): string[] => [...text.matchAll(/traceId: '(\w{32})'/g)].map(([, id]) => id!);
    try {
      expect(await answerOf(() => json('/buy/lamp', 'POST'))).toEqual({ left: 2 });
      expect(await json('/list')).toEqual(['lamp', 'desk']);
      expect(await json('/health')).toMatchObject({
        status: 'ok',
        details: { grid: { peers: { [stock]: { state: 'connected' } } } },
      });
      expect(await (await fetch(`${stock}/metrics`)).text()).toContain('grid_');
      const joined = async (): Promise<boolean> =>
        tracesOf(printed.shop).some((id) => tracesOf(printed.stock).includes(id));
      await until(joined, 'no trace has spans of both services', HANG_MS);
    } finally {
      for (const app of apps) app.kill('SIGKILL');
    }
  }, 60_000);

  test('the test of Getting started passes', async () => {
    const config = {
      rootDir: join(FOLDER, 'out/getting-started'),
      testEnvironment: 'node',
      transform: {},
      testMatch: ['**/*.test.js'],
    };
    const options = ['--experimental-vm-modules', '--no-warnings', join(ROOT, 'node_modules/jest/bin/jest.js')];
    const ran = await run('node', [...options, '--config', JSON.stringify(config)]);
    expect(ran.stderr).toContain('1 passed, 1 total');
    expect(ran.code).toBe(0);
  }, 60_000);

  test('every command that is shown exists', () => {
    const shown = blocks
      .filter(({ info }) => info === 'bash')
      .flatMap(({ code }) => [...code.matchAll(/npm (?:run )?([\w:-]+)/g)]);
    const inText = DOCUMENTS.flatMap((document) => [...readText(document).matchAll(/`npm run ([\w:-]+)/g)]);
    const names = [...shown, ...inText].map(([, name]) => name!).filter((name) => name !== 'ci' && name !== 'install');
    expect(names).toEqual(expect.arrayContaining(['start', 'test', 'bench']));
    for (const name of names) expect(manifest().scripts).toHaveProperty([name]);
  });

  test('no app that is shown shuts down on SIGHUP, by which secrets are reloaded', () => {
    // without a list of signals Nest takes all that it knows
    const samples = sourcesOf('sample').map(({ path, text }) => ({ place: path, code: text }));
    const shown = typescript.map(({ document, line, code }) => ({ place: `${document}:${line}`, code }));
    const apps = [...samples, ...shown].filter(({ code }) => code.includes('enableShutdownHooks('));
    expect(apps.length).toBeGreaterThan(4);
    expect(apps.filter(({ code }) => !code.includes('enableShutdownHooks([')).map(({ place }) => place)).toEqual([]);
  });

  test('the two commands stand on the first screen of the README', () => {
    const firstScreen = readText('README.md').split('\n').slice(0, 20).join('\n');
    expect(firstScreen).toContain('npm ci && npm start');
    expect(firstScreen).toContain('npm ci && npm test');
    expect(firstScreen).toContain('a process that is not in `hosts` cannot call');
  });

  test('every link between the documents leads somewhere', () => {
    const dead = DOCUMENTS.flatMap((document) =>
      [...readText(document).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !leadsSomewhere(document, target))
        .map((target) => `${document}: ${target}`),
    );
    expect(dead).toEqual([]);
  });

  test('every file that the documents name exists', () => {
    const missing = DOCUMENTS.flatMap((document) =>
      [...readText(document).matchAll(/`((?:lib|test|sample|docs)\/[\w./-]+)`/g)]
        .map(([, path]) => path!)
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${document}: ${path}`),
    );
    expect(missing).toEqual([]);
  });
});

function leadsSomewhere(document: string, target: string): boolean {
  const [path, anchor] = target.split('#') as [string, string | undefined];
  const file = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

function anchorsOf(document: string): string[] {
  return [...readText(document).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Asks until there is an answer: at first nobody listens, and then the two do not know each other yet. */
function answerOf(ask: () => Promise<unknown>): Promise<unknown> {
  let last: unknown;
  const answer = (): Promise<unknown> =>
    ask().catch((error: unknown) => {
      last = error;
    });
  return until(answer, () => `no answer: ${String(last)}`, HANG_MS);
}
