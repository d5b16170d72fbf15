import { freeHosts, freePorts } from '../lib/testing/free-ports.js';

export { freeHosts, freePorts };

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

export async function freeHost(): Promise<string> {
  return (await freeHosts(1))[0]!;
}

export function portOf(origin: string): number {
  return Number(new URL(origin).port);
}
