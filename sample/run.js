// npm run sample -- NAME [options of the sample]: builds that sample and runs it
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const samples = readdirSync(import.meta.dirname).filter((name) => /^\d\d-/.test(name));
const [name] = process.argv.splice(2, 1);
if (!samples.includes(name)) {
  console.error(`usage: npm run sample -- NAME [--once], NAME one of ${samples.join(', ')}`);
  process.exit(2);
}
const windows = process.platform === 'win32';
const built = spawnSync('tsc', ['-b', `sample/${name}/tsconfig.app.json`], { stdio: 'inherit', shell: windows });
if (built.status !== 0) process.exit(built.status ?? 1);
await import(`./${name}/dist/main.js`);
