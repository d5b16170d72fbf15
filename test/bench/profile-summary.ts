import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Profiler } from 'node:inspector';
import type { Table } from './table.js';

const TOP = 10;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Frames in which nothing was computed, and the one in which the profiler itself was started and stopped. */
const NO_WORK = new Set(['(idle)', '(root)', 'dispatch']);

/**
 * For each profile that was written to the folder since then the frames with the most time of their own, in percent of
 * the time that was worked.
 */
export function profileTables(folder: string, sinceMs: number): Table[] {
  const names = readdirSync(folder).filter(
    (name) => name.endsWith('.cpuprofile') && statSync(join(folder, name)).mtimeMs >= sinceMs,
  );
  return names.toSorted().map((name) => {
    const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profiler.Profile;
    return frameTable(name.replace(/\.cpuprofile$/, ''), profile);
  });
}

/** The ten frames in which most time was spent, calls out of them not counted. */
export function frameTable(name: string, profile: Profiler.Profile): Table {
  const times = selfTimes(profile);
  const worked = [...times.values()].reduce((sum, time) => sum + time, 0);
  const rows = [...times]
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, TOP)
    .map(([frame, time]) => [`${((time / worked) * 100).toFixed(1)} %`, ...frame.split('\n')]);
  return { title: `Profile: ${name}`, head: ['self', 'function', 'where'], rows };
}

/** Microseconds by function and place, those two separated by a line break. */
function selfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Map<string, number> {
  const frames = new Map(nodes.map((node) => [node.id, frameOf(node)]));
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame !== undefined) times.set(frame, (times.get(frame) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

function frameOf({ callFrame }: Profiler.Profile['nodes'][number]): string | undefined {
  const { functionName, url, lineNumber } = callFrame;
  if (url === '' && NO_WORK.has(functionName)) return undefined;
  const name = functionName || '(anonymous)';
  return url === '' ? `${name}\nnative` : `${name}\n${place(url)}:${lineNumber + 1}`;
}

/** From the root of the project, or from the package. */
function place(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  const inPackage = path.lastIndexOf('/node_modules/');
  if (inPackage >= 0) return path.slice(inPackage + '/node_modules/'.length);
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}
