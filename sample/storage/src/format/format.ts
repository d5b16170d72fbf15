/** Where a node keeps its Format. */
export const FORMAT_PATH = 'format.json';
const VERSION = 1;

/** What makes a folder the disk of one node of one deployment. */
export interface Format {
  /** Names the whole cluster, for ever. */
  readonly deployment: string;
  /** Number of the node that the folder belongs to, and how many there are: objects are placed by number. */
  readonly node: number;
  readonly nodes: number;
}

export function encodeFormat(format: Format): Uint8Array {
  return Buffer.from(`${JSON.stringify({ version: VERSION, ...format }, undefined, 2)}\n`);
}

/** Throws when the bytes are no format of this version. */
export function decodeFormat(bytes: Uint8Array): Format {
  let found: Partial<Format & { version: number }> | null;
  try {
    found = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new Error(`${FORMAT_PATH} is not JSON`, { cause });
  }
  const { version, deployment, node, nodes } = found ?? {};
  if (version !== VERSION) {
    throw new Error(`${FORMAT_PATH} has version ${version}, this program reads version ${VERSION}`);
  }
  if (typeof deployment !== 'string' || deployment === '') throw new Error(`${FORMAT_PATH} names no deployment`);
  if (!Number.isInteger(node) || !Number.isInteger(nodes)) {
    throw new Error(`${FORMAT_PATH} does not say which node it is of`);
  }
  return { deployment, node: node as number, nodes: nodes as number };
}
