/** What the environment says. */
export interface Settings {
  readonly local: string;
  /** Where `local` points: the grid and the HTTP control listen there. */
  readonly hostname: string;
  readonly port: number;
  readonly hosts: readonly string[];
  /** Shared by all hosts, shown at each dial. */
  readonly token: string;
  readonly route: string;
}

/** @throws Error that names the variable which is missing or wrong. */
export function settingsOf(environment: NodeJS.ProcessEnv): Settings {
  const local = required(environment, 'GRID_LOCAL');
  const hosts = required(environment, 'GRID_HOSTS')
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '');
  if (!URL.canParse(local)) throw new Error(`GRID_LOCAL must be an origin such as http://127.0.0.1:9101, not ${local}`);
  const url = new URL(local);
  return {
    local,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'), // an IPv6 address is bare where one listens
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    hosts,
    // an empty one counts as not set, as those that are needed do: no host could show it
    token: environment['GRID_TOKEN'] || 'debug',
    route: environment['GRID_ROUTE'] || '/minio/grid/v1',
  };
}

function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}
