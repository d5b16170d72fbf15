import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Checklist } from '../../sample/storage/src/launcher/checklist.js';
import { freePorts, LOOPBACK } from '../../sample/storage/src/launcher/ports.js';
import { until } from '../../sample/storage/src/launcher/until.js';

/** Built by `npm run build`, which `npm test` runs first. */
const LAUNCHER = join(process.cwd(), 'sample/storage/dist/start.js');
const HANG_MS = 240_000;

class Launched {
  readonly child: ChildProcess;
  output = '';

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
    }
  }

  get folder(): string {
    return /data in (\S+)/.exec(this.output)?.[1] ?? '';
  }

  /** Waits for a text; what the launcher wrote instead stands in the error. */
  async says(text: string): Promise<void> {
    await until(HANG_MS, `"${text}"`, async () => {
      if (this.output.includes(text)) return;
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.output}`);
      throw new Error(`it says: ${this.output}`);
    });
  }

  async exit(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://${LOOPBACK}:${port}/health`);
    return true;
  } catch {
    // nobody listens there
    return false;
  }
}

/** As many ports in a row, free at this moment. */
async function portRange(count: number): Promise<number> {
  for (;;) {
    const [base] = await freePorts(1, undefined);
    try {
      await freePorts(count, base);
      return base!;
    } catch {
      // one of them is taken
    }
  }
}

const launched: Launched[] = [];
function launch(...args: string[]): Launched {
  const one = new Launched(...args);
  launched.push(one);
  return one;
}
afterEach(async () => {
  for (const one of launched.splice(0)) {
    one.child.kill('SIGTERM');
    await one.exit();
  }
});

describe('npm start', () => {
  it.each([
    [['--nodes', '2'], '--nodes must be a whole number from 3 to 16, got 2'],
    [['--port', 'x'], '--port must be a whole number'],
    [['--what'], "Unknown option '--what'"],
  ])('refuses %j', async (args, text) => {
    const one = launch(...args);
    expect(await one.exit()).toBe(1);
    expect(one.output).toContain(text);
  });

  it(
    'names a port that is taken',
    async () => {
      const base = await portRange(4);
      const taken = createServer().listen(base + 2, LOOPBACK);
      await once(taken, 'listening');
      try {
        const one = launch('--once', '--port', String(base));
        expect(await one.exit()).toBe(1);
        expect(one.output).toContain(`port ${base + 2} is taken`);
        expect(existsSync(one.folder)).toBe(false);
      } finally {
        taken.close();
      }
    },
    HANG_MS,
  );

  it(
    'proves every step, stays up, and leaves nothing behind on Ctrl-C',
    async () => {
      const source = await mkdtemp(join(tmpdir(), 'storage-source-'));
      await writeFile(join(source, 'a.txt'), 'a');
      await writeFile(join(source, 'empty'), '');
      await writeFile(join(source, 'large'), Buffer.alloc(400_000, 'x'));
      const base = await portRange(4);
      const one = launch('--import', source, '--port', String(base));
      await one.says('curl');
      expect(one.output.match(/✔/g)).toHaveLength(8);
      expect(one.output).not.toContain('✖');
      const response = await fetch(`http://${LOOPBACK}:${base + 3}/objects/a.txt`);
      expect(await response.text()).toBe('a');
      expect(existsSync(one.folder)).toBe(true);

      one.child.kill('SIGINT');
      expect(await one.exit()).toBe(130);
      expect(existsSync(one.folder)).toBe(false);
      for (let port = base; port < base + 4; port++) expect(await answers(port)).toBe(false);
      await rm(source, { recursive: true });
    },
    2 * HANG_MS,
  );

  it(
    'leaves nothing behind when it is killed itself',
    async () => {
      const base = await portRange(3);
      const one = launch('--nodes', '3', '--port', String(base));
      await one.says('the nodes agree');
      one.child.kill('SIGKILL');
      await one.exit();
      await until(HANG_MS, 'the nodes to end', async () => {
        for (let port = base; port < base + 3; port++) if (await answers(port)) throw new Error(`port ${port} answers`);
        if (existsSync(one.folder)) throw new Error(`${one.folder} is there`);
      });
    },
    2 * HANG_MS,
  );
});

describe('the end of a checklist', () => {
  const broken = async (): Promise<never> => {
    throw new Error('node 2 does not end');
  };

  it.each([
    ['every step held', [], async () => {}, true, ['\nevery step held']],
    ['a step failed', ['import'], async () => {}, false, ['\nfailed: import']],
    ['cleaning up failed', [], broken, false, ['  ✖ clean: node 2 does not end', '\nfailed: clean']],
    ['both failed', ['import'], broken, false, ['  ✖ clean: node 2 does not end', '\nfailed: import']],
  ])('%s: it says so last', async (_, failing, cleanUp, held, lines) => {
    const said: string[] = [];
    const checklist = new Checklist((line) => void said.push(line));
    for (const step of failing) await checklist.prove(step, broken);
    said.splice(0);
    expect(await checklist.conclude('clean', cleanUp)).toBe(held);
    expect(said).toEqual(lines);
  });
});
