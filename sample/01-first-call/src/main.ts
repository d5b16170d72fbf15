import { fork } from 'node:child_process';
import { once } from 'node:events';

// two hosts, each a process of its own: `node.ts` is what your own `main.ts` would be
const port = Number(process.env.PORT ?? 9001);
const nodes = [port, port + 1].map((own) =>
  fork(new URL('node.js', import.meta.url), {
    env: {
      ...process.env,
      GRID_LOCAL: `http://127.0.0.1:${own}`,
      GRID_HOSTS: `http://127.0.0.1:{${port}...${port + 1}}`,
      GRID_SECRET: process.env.GRID_SECRET ?? 'only for this sample, 32 bytes or more',
    },
  }),
);
const stop = (): void => nodes.forEach((node) => void node.kill());
process.once('SIGTERM', stop);
// one that fails takes the other one with it
for (const node of nodes) node.once('exit', (code) => code && stop());

if (process.argv.includes('--once')) {
  await Promise.all(nodes.map((node) => once(node, 'message')));
  stop();
}
