import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { volume } from '../scale.js';

/** Built by `npm run build`, which `npm test` runs first. */
const SOAK = join(process.cwd(), 'test/soak/dist/test/soak/main.js');
const HANG_MS = volume(240_000, 7_200_000);
const CALLS = volume(20_000, 1_000_000);
const RECONNECTS = volume(100, 10_000);

async function soak(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [SOAK, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>]);
  return { code, output };
}

it(
  `${CALLS} calls of all kinds, ${RECONNECTS} reconnects and ${CALLS} deadlines of an hour leave nothing behind`,
  async () => {
    const args = ['--calls', CALLS, '--reconnects', RECONNECTS, '--hour-calls', CALLS].map(String);
    const { code, output } = await soak(...args);
    expect(output).not.toContain('LEAK');
    expect(output.match(/^ok {3}/gm)).toHaveLength(3);
    expect(code).toBe(0);
  },
  HANG_MS,
);

it('refuses what is no number', async () => {
  const child = spawn(process.execPath, [SOAK, '--calls', 'many'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [told, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(told).toContain('--calls many: must be a whole number');
  expect(code).toBe(2);
});
