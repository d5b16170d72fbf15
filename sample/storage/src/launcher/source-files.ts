import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What is made from sources, or is no source. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', '.git']);

export interface SourceFile {
  /** Path below the imported folder, with `/`. */
  readonly key: string;
  readonly path: string;
  readonly size: number;
}

/** All ordinary files under a folder; links are not followed. */
export async function sourceFiles(root: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const visit = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) await visit(path, `${prefix}${entry.name}/`);
      if (entry.isFile()) files.push({ key: prefix + entry.name, path, size: (await stat(path)).size });
    }
  };
  await visit(root, '');
  return files;
}
