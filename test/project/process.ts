import { spawn } from 'node:child_process';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; one that hangs for a minute (or `hangMs`) is killed and its code is null. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; hangMs?: number } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    // jest's own switches must not reach the programs under test
    const env = { ...process.env, NODE_OPTIONS: '', ...options.env };
    const child = spawn(command, args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const hang = setTimeout(() => child.kill('SIGKILL'), options.hangMs ?? 60_000);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(hang);
      resolve({ code, stdout, stderr });
    });
  });
}

