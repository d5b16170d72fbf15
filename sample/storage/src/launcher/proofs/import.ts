import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Cluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';
import { megabytes, Progress } from '../progress.js';
import { sourceFiles, type SourceFile } from '../source-files.js';
import { runAll } from '../work-pool.js';

const WORKERS = 8;

/** Stores every file of a folder, through all nodes in turn. */
export async function importFolder(cluster: Cluster, ledger: Ledger, folder: string): Promise<string> {
  const files = await sourceFiles(folder);
  if (files.length === 0) throw new Error(`there are no files in ${folder}`);
  const progress = new Progress(process.stdout, 'importing', files.length);
  try {
    await runAll(files, WORKERS, async (file, index) => {
      const { size, sha256 } = await store(cluster, file, index);
      ledger.stored(file.key, size, sha256);
      progress.step(size);
    });
  } finally {
    progress.end();
  }
  return `${files.length} files, ${megabytes(sum(files))} from ${folder}`;
}

function sum(files: readonly SourceFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}

async function store(cluster: Cluster, file: SourceFile, index: number): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(file.path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const stored = await cluster.node(index % cluster.nodes.length).front.put(file.key, body());
  const sha256 = hash.digest('hex');
  if (stored.sha256 !== sha256) throw new Error(`${file.key} was acknowledged with another checksum`);
  return { size, sha256 };
}
