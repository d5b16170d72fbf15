import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { run } from './process.js';
import { readText, ROOT } from './sources.js';

const NEST = join(ROOT, 'node_modules/.bin/nest');

interface Project {
  readonly type: string;
  readonly root: string;
  readonly entryFile: string;
  readonly sourceRoot: string;
  readonly compilerOptions: { readonly tsConfigPath: string };
}

const { projects } = JSON.parse(readText('nest-cli.json')) as { projects: Record<string, Project> };

describe('the samples as Nest projects', () => {
  for (const [name, project] of Object.entries(projects).filter(([, { type }]) => type === 'application')) {
    test(`nest build ${name}`, async () => {
      // a folder of its own: other tests run what stands in the sample's dist
      const folder = join(ROOT, 'test/project/dist/nest', name);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      const sources = join(ROOT, project.sourceRoot);
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          extends: join(ROOT, project.compilerOptions.tsConfigPath),
          compilerOptions: {
            rootDir: sources,
            outDir: 'out',
            composite: false,
            incremental: false,
            tsBuildInfoFile: null,
          },
          include: [sources],
        }),
      );
      const built = await run(NEST, ['build', name, '--path', `test/project/dist/nest/${name}/tsconfig.json`], {
        cwd: ROOT,
      });
      expect(built).toMatchObject({ code: 0 });
      expect(existsSync(join(folder, 'out', `${project.entryFile}.js`))).toBe(true);
    }, 60_000);
  }
});
