import { createHash } from 'node:crypto';
import type { GridStats } from 'nestjs-grid';
import type { HealStatus } from '../heal/heal-schedule.js';
import type { ObjectInfo } from '../objects/object-store.js';

/** No single HTTP call takes longer; a key that is locked by a dead node needs some of it. */
const CALL_WITHIN_MS = 30_000;

/** What was received: proof of the content. */
export interface Received {
  readonly size: number;
  readonly sha256: string;
  readonly version: string;
}

/** One node's HTTP front, as any client sees it. */
export class Front {
  constructor(readonly url: string) {}

  async put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>): Promise<ObjectInfo> {
    const response = await this.call('PUT', objectPath(key), body);
    return (await response.json()) as ObjectInfo;
  }

  /** undefined: there is no such object. */
  async get(key: string): Promise<Received | undefined> {
    const response = await this.call('GET', objectPath(key));
    if (response.status === 404) return absent(response);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response.body ?? []) {
      hash.update(chunk as Uint8Array);
      size += (chunk as Uint8Array).length;
    }
    return { size, sha256: hash.digest('hex'), version: response.headers.get('x-version') ?? '' };
  }

  async exists(key: string): Promise<boolean> {
    return (await this.call('HEAD', objectPath(key))).ok;
  }

  /** False: there was no such object. */
  async delete(key: string): Promise<boolean> {
    return (await this.call('DELETE', objectPath(key))).ok;
  }

  async list(prefix = ''): Promise<ObjectInfo[]> {
    const response = await this.call('GET', `/objects?prefix=${encodeURIComponent(prefix)}`);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as ObjectInfo);
  }

  async health(): Promise<{ deployment: string | null; heal: HealStatus }> {
    return (await (await this.call('GET', '/health')).json()) as { deployment: string | null; heal: HealStatus };
  }

  async stats(): Promise<{ data: GridStats; locks: GridStats }> {
    return (await (await this.call('GET', '/stats')).json()) as { data: GridStats; locks: GridStats };
  }

  /** An answer in the two hundreds, or 404; anything else throws with the server's text. */
  private async call(method: string, path: string, body?: Uint8Array | AsyncIterable<Uint8Array>): Promise<Response> {
    const init: RequestInit = { method, signal: AbortSignal.timeout(CALL_WITHIN_MS) };
    if (body) Object.assign(init, { body, duplex: 'half' });
    let response: Response;
    try {
      response = await fetch(this.url + path, init);
    } catch (error) {
      const cause = (error as Error).cause ?? error;
      throw new Error(`${method} ${this.url}${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause: error,
      });
    }
    if (response.ok || response.status === 404) return response;
    throw new Error(`${method} ${this.url}${path}: ${response.status} ${await response.text()}`);
  }
}

export function objectPath(key: string): string {
  return `/objects/${key.split('/').map(encodeURIComponent).join('/')}`;
}

async function absent(response: Response): Promise<undefined> {
  await response.body?.cancel();
}
