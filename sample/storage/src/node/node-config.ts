/** Token of this node's NodeConfig. */
export const NODE_CONFIG = Symbol('NODE_CONFIG');

/** What one node must be told. */
export interface NodeConfig {
  /** Number of this node in `hosts`, from 0. */
  readonly node: number;
  /** Origins of all nodes, the same list in the same order on each. */
  readonly hosts: readonly string[];
  /** Where this node keeps its files. */
  readonly dataFolder: string;
  /** Shared by all nodes, at least 32 bytes. */
  readonly secret: string;
  /** A lock that was not refreshed for this long is free again. Refreshes come three times as often. */
  readonly lockTtlMs: number;
  /** How long a start may wait for the other nodes before it gives up. */
  readonly agreeWithinMs: number;
  /** The disks are compared this often, also when no node has come back. */
  readonly healEveryMs: number;
  /** Where this node listens, if something forwards the port of its origin to it. Default: the port of its origin. */
  readonly listenPort?: number;
}

/** Copies of each object, and how many of them a write or a read must reach: any two such sets share one node. */
export const REPLICAS = 3;
export const QUORUM = 2;

/** Reads the configuration from the environment; a wrong or missing variable is named. */
export function readNodeConfig(env: NodeJS.ProcessEnv): NodeConfig {
  const hosts = required(env, 'STORAGE_HOSTS', 'the origins of all nodes, separated by commas').split(',');
  if (hosts.length < REPLICAS) {
    throw new Error(`STORAGE_HOSTS must name at least ${REPLICAS} nodes, got ${hosts.length}`);
  }
  return {
    hosts,
    node: wholeNumber(env, 'STORAGE_NODE', 0, hosts.length - 1),
    dataFolder: required(env, 'STORAGE_DATA', 'the folder for the files of this node'),
    secret: required(env, 'STORAGE_SECRET', 'the secret that all nodes share, at least 32 bytes'),
    lockTtlMs: wholeNumber(env, 'STORAGE_LOCK_TTL_MS', 100, 600_000, 6_000),
    agreeWithinMs: wholeNumber(env, 'STORAGE_AGREE_WITHIN_MS', 100, 600_000, 30_000),
    healEveryMs: wholeNumber(env, 'STORAGE_HEAL_EVERY_MS', 1_000, 86_400_000, 60_000),
    ...(env['STORAGE_LISTEN_PORT'] ? { listenPort: wholeNumber(env, 'STORAGE_LISTEN_PORT', 1, 65_535) } : {}),
  };
}

export function localOrigin(config: NodeConfig): string {
  return originOf(config, config.node);
}

export function originOf(config: NodeConfig, node: number): string {
  const origin = config.hosts[node];
  if (origin === undefined) throw new Error(`there is no node ${node}: ${config.hosts.length} nodes are configured`);
  return origin;
}

function required(env: NodeJS.ProcessEnv, name: string, meaning: string): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set: ${meaning}`);
  return value;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, least: number, most: number, fallback?: number): number {
  const text = env[name] ?? '';
  const value = text === '' && fallback !== undefined ? fallback : Number(text || NaN);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, got ${text === '' ? 'nothing' : text}`);
}
