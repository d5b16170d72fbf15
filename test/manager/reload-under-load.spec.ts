import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { freeHosts } from '../ports.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { Authority, type HostCertificate } from './certificates.js';
import { allConnected, LogBook } from './neighbourhood.js';
import { answerTraffic, Traffic } from './traffic.js';

const SECRETS = ['the first secret, thirty-two bytes or more', 'the other secret, thirty-two bytes or more'];

/** The sockets that were opened to servers of this process and still stand. */
class ServerSockets {
  private readonly open = new Set<Socket>();
  private readonly note = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
  };

  constructor() {
    subscribe('net.server.socket', this.note);
  }

  /** As a network does that fails; those too that are at their handshake. */
  cut(): void {
    for (const socket of this.open) socket.resetAndDestroy();
  }

  stop(): void {
    unsubscribe('net.server.socket', this.note);
  }
}

/** A host with mutual TLS whose files and secrets are renewed. */
class Tenant {
  readonly log = new LogBook();
  readonly grid: GridManager;
  secrets = [SECRETS[0]!];
  ca = '';
  own: HostCertificate = { cert: '', key: '' };
  /** What its functions throw. */
  fault: Error | undefined = undefined;

  constructor(
    readonly local: string,
    hosts: readonly string[],
  ) {
    const files = async (): Promise<HostCertificate & { ca: string }> => {
      await turn();
      if (this.fault) throw this.fault;
      return { ...this.own, ca: this.ca };
    };
    this.grid = new GridManager({
      local,
      hosts,
      auth: { secret: () => this.secrets },
      tls: files,
      listen: { tls: async () => ({ ...(await files()), requestCert: true }) },
      logger: this.log,
      intervals: { redialMs: 5 },
      drainTimeoutMs: 1_000,
    });
    answerTraffic(this.grid);
  }

  /** All at once, as often as it gets; a reload that fails changes nothing and stops nothing. */
  reload(times: number): Promise<unknown> {
    const reloads: Promise<void>[] = [];
    for (let time = 0; time < times; time++) {
      reloads.push(this.grid.reloadTls());
      this.grid.reloadSecret();
    }
    return Promise.allSettled(reloads);
  }

  async failingReload(): Promise<void> {
    this.fault = new Error('the disk is gone');
    await expect(this.grid.reloadTls()).rejects.toThrow('the disk is gone');
    this.fault = undefined;
  }
}

let tenants: Tenant[];
let authorities: readonly [Authority, Authority];
let sockets: ServerSockets;

beforeEach(async () => {
  authorities = [await Authority.found('the authority before'), await Authority.found('the authority after')];
  sockets = new ServerSockets();
  const hosts = (await freeHosts(3)).map((host) => host.replace('http:', 'https:'));
  tenants = hosts.map((local) => new Tenant(local, hosts));
  for (const tenant of tenants) {
    await issue(tenant, authorities[0]);
    tenant.ca = authorities[0].ca;
    await tenant.grid.listen();
    void tenant.grid.start();
  }
  await allConnected(...tenants.map(({ grid }) => grid));
  // the first ones dialed hosts that were not there yet
  for (const { log } of tenants) log.lines.length = 0;
});

afterEach(async () => {
  sockets.stop();
  await Promise.all(tenants.map(({ grid }) => grid.close()));
});

async function issue(tenant: Tenant, authority: Authority): Promise<void> {
  tenant.own = await authority.certify(['127.0.0.1']);
}

/** Those of each host with each other one, one after the other. */
function reconnects(): number[] {
  return tenants.flatMap(({ grid }) => grid.stats().peers.map((peer) => peer.reconnects));
}

it('reloads, good and bad, again and again: no call fails and no connection is lost', async () => {
  const traffic = new Traffic(tenants.map(({ grid }) => grid));
  for (let round = 0; round < volume(5, 100); round++) {
    for (const tenant of tenants) {
      await issue(tenant, authorities[0]);
      tenant.secrets = tenant.secrets.length === 1 ? SECRETS : [SECRETS[0]!];
      await Promise.all([tenant.reload(4), traffic.more(20)]);
      await tenant.failingReload();
    }
  }
  await traffic.more(20);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(new Set(reconnects())).toEqual(new Set([0]));
});

it('the authority and the secret are changed while connections are cut, dialed and accepted', async () => {
  const [before, after] = authorities;
  let over = false;
  const outcomes = { answered: 0, cut: 0, others: [] as unknown[] };
  const calls = tenants.flatMap(({ grid }) =>
    grid.peers.map(async (peer) => {
      while (!over) {
        await peer.request(60, 1, { timeoutMs: 30_000 }).then(
          () => outcomes.answered++,
          (error: { code?: string }) => (error.code === 'UNAVAILABLE' ? outcomes.cut++ : outcomes.others.push(error)),
        );
        await turn();
      }
    }),
  );
  const steps: readonly ((tenant: Tenant) => void | Promise<void>)[] = [
    (tenant) => {
      tenant.ca = `${before.ca}\n${after.ca}`;
      tenant.secrets = SECRETS;
    },
    async (tenant) => {
      await issue(tenant, after);
      tenant.secrets = SECRETS.toReversed();
    },
    (tenant) => {
      tenant.ca = after.ca;
      tenant.secrets = [SECRETS[1]!];
    },
  ];
  for (const step of steps) {
    for (const tenant of tenants) {
      await step(tenant);
      // handshakes are under way before, in and after the reload
      const reloading = tenant.reload(3);
      for (let cut = 0; cut < volume(3, 30); cut++) {
        sockets.cut();
        const lost = reconnects();
        await tenant.failingReload();
        await until(() => reconnects().every((count, index) => count > lost[index]!), 'all have connected anew');
      }
      await reloading;
      // of the others some have failed
      await tenant.grid.reloadTls();
    }
    await allConnected(...tenants.map(({ grid }) => grid));
  }
  over = true;
  await Promise.all(calls);
  expect(outcomes.others).toEqual([]);
  expect(outcomes.answered).toBeGreaterThan(0);
  for (const { log } of tenants) expect(log.matching(/refuse|cannot reach|two processes|calls itself/)).toEqual([]);
});
