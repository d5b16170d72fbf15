// Compiles the frame codec: npm run codec
// Writes lib/wire/generated/codec-modules.ts, both modules in base64. Does nothing where its sources have not changed.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Pages of 64 KiB: the 392 KiB in front of the slabs, 24 slabs of 256 KiB and four of 1 MiB and 64 KiB (layout.ts,
 * lib/connection/slab.ts). The system gives memory to those that have been written to.
 */
const PAGES = 171;

const OPTIONS = [
  ...['-O3', '--converge', '--noAssert'],
  // nothing is ever allocated, collected or grown
  ...['--runtime', 'stub', '--initialMemory', `${PAGES}`, '--maximumMemory', `${PAGES}`],
];

const target = join(import.meta.dirname, '../generated/codec-modules.ts');
const digest = digestOfSources();
if (!existing().includes(digest)) {
  const { default: asc } = await import('assemblyscript/asc');
  const simd = await compile(asc, ['--enable', 'simd']);
  const scalar = await compile(asc, []);
  // typed, else the compiler writes both once more as literal types
  write(`// Made by lib/wire/assembly/build.js of sources ${digest}

export const SIMD_MODULE: string = '${simd}';

export const SCALAR_MODULE: string = '${scalar}';
`);
}

/** Of all that decides the output: this folder and the compiler's version. */
function digestOfSources() {
  const { version } = createRequire(import.meta.url)('assemblyscript/package.json');
  const hash = createHash('sha256').update(version);
  for (const name of readdirSync(import.meta.dirname).sort()) {
    hash.update(name).update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex');
}

function existing() {
  try {
    return readFileSync(target, 'utf8');
  } catch {
    // there is none yet; one that cannot be read cannot be written either, which says why
    return '';
  }
}

async function compile(asc, features) {
  let binary;
  const { error, stderr } = await asc.main(
    ['index.ts', '--outFile', 'codec.wasm', '--baseDir', import.meta.dirname, ...OPTIONS, ...features],
    {
      writeFile: (name, contents) => {
        binary = contents;
      },
    },
  );
  if (error) throw new Error(`the frame codec does not compile:\n${stderr.toString()}`, { cause: error });
  return Buffer.from(binary).toString('base64');
}

/** In one step: others may read it at the same time. */
function write(text) {
  mkdirSync(join(target, '..'), { recursive: true });
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, target);
}
