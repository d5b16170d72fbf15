import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** Path from the project's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const MADE = new Set(['dist', 'node_modules', 'generated']);

/** All code below a folder of the project, in whichever of its languages; what is built or installed is left out. */
export function codeOf(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|js|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(ROOT, file).split(sep).some((part) => MADE.has(part)))
    .map((file) => ({ path: relative(ROOT, file).replaceAll(sep, '/'), text: readFileSync(file, 'utf8') }));
}

/** Every TypeScript file below a folder. AssemblyScript has its ending and is another language. */
export function sourcesOf(folder: string): SourceFile[] {
  return codeOf(folder).filter(({ path }) => path.endsWith('.ts') && !path.includes('/assembly/'));
}

/** What a file imports, re-exports and loads by `import()`, as written. */
export function importsOf(file: SourceFile): string[] {
  return ts.preProcessFile(file.text, true, true).importedFiles.map((reference) => reference.fileName);
}

/** What stays of these when types are gone: what is loaded when the file is. */
export function loadsOf(file: SourceFile): string[] {
  const { ESNext: module } = ts.ModuleKind;
  const { outputText } = ts.transpileModule(file.text, { compilerOptions: { module, experimentalDecorators: true } });
  return importsOf({ path: file.path, text: outputText });
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export interface Manifest {
  readonly version: string;
  readonly scripts: Record<string, string>;
  readonly exports: Record<string, unknown>;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { readonly optional: boolean }>;
  readonly devDependencies: Record<string, string>;
}

export function manifest(): Manifest {
  return JSON.parse(readText('package.json')) as Manifest;
}
