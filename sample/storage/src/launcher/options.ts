import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REPLICAS } from '../node/node-config.js';

export interface LauncherOptions {
  /** Folder whose files are imported. */
  readonly source: string;
  readonly nodes: number;
  /** Exit when all steps are done. */
  readonly once: boolean;
  /** Ports from here on; undefined: free ones are picked. */
  readonly port: number | undefined;
  /** Where the nodes keep their folders; undefined: a temporary folder that is removed in the end. */
  readonly dataFolder: string | undefined;
  /** Leave the temporary folder. */
  readonly keep: boolean;
  /** Show the nodes' logs. */
  readonly verbose: boolean;
}

export const USAGE = `npm start -- [options]

  --import DIR   import the files under DIR (default: the sources of this project)
  --nodes N      how many nodes, ${REPLICAS} to 16 (default 4)
  --once         exit when all steps are done: 0 only if every one held
  --port BASE    the nodes listen on BASE, BASE+1, … (default: free ports are picked)
  --data DIR     keep the nodes' data under DIR (default: a temporary folder, removed in the end)
  --keep         do not remove the temporary folder
  --verbose      show the logs of the nodes
  --help         this text
`;

/** undefined: the help is wanted. Throws on anything that it does not know. */
export function readOptions(args: readonly string[], defaultSource: string): LauncherOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      import: { type: 'string' },
      nodes: { type: 'string', default: '4' },
      once: { type: 'boolean', default: false },
      port: { type: 'string' },
      data: { type: 'string' },
      keep: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const nodes = wholeNumber('--nodes', values.nodes, REPLICAS, 16);
  return {
    nodes,
    source: resolve(values.import ?? defaultSource),
    once: values.once,
    port: values.port === undefined ? undefined : wholeNumber('--port', values.port, 1, 65_536 - nodes),
    dataFolder: values.data === undefined ? undefined : resolve(values.data),
    keep: values.keep,
    verbose: values.verbose,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, got ${text}`);
}
