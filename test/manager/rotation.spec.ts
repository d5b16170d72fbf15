import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GridManager } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { systemClock } from '../../lib/time/index.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, House, Neighbourhood } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';
import { thrownBy } from './refusal.js';
import { answerTraffic, Traffic } from './traffic.js';

const OLD = 'the old secret, thirty-two bytes or more';
const NEW = 'the new secret, thirty-two bytes or more';
const RELOADED = 'the secret is reloaded';

/** A host whose secrets come from a place that a test can write to. */
class Tenant {
  secrets: string | string[] | undefined = OLD;
  readonly grid: GridManager;

  constructor(readonly house: House) {
    this.grid = house.grid({ auth: { secret: () => this.secrets } });
    answerTraffic(this.grid);
  }

  get signing(): string {
    return [this.secrets].flat()[0]!;
  }
}

let hood: Neighbourhood;
let tenants: Tenant[];

beforeEach(async () => {
  hood = await Neighbourhood.build(3);
  tenants = hood.houses.map((house) => new Tenant(house));
  for (const { grid } of tenants) void grid.start();
  await allConnected(...tenants.map(({ grid }) => grid));
  // on a busy machine the start may take long enough for a line
  for (const { house } of tenants) house.log.lines.length = 0;
});

afterEach(() => hood.close());

/** Each pair could connect now: the upgrade with a token that the one signs opens at the other. */
async function allCouldDial(): Promise<void> {
  for (const from of tenants) {
    for (const to of tenants.filter((other) => localDials(from.grid.local, other.grid.local))) {
      const auth = secretAuth([from.signing], hood.origins, systemClock);
      const token = await auth.sign({ from: from.grid.local, to: to.grid.local });
      (await RawDialer.open(to.grid.local, token)).ws.terminate();
    }
  }
}

describe('the secret is rotated, host by host, on grids that run', () => {
  it('without a failed call, a broken stream or a connection lost', async () => {
    const grids = tenants.map(({ grid }) => grid);
    const traffic = new Traffic(grids);
    await traffic.more(volume(25, 2_000));
    for (const secrets of [[OLD], [OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const tenant of tenants) {
        tenant.secrets = secrets;
        tenant.grid.reloadSecret();
        await allCouldDial();
        await traffic.more(volume(25, 2_000));
      }
    }
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    for (const { grid, house } of tenants) {
      for (const peer of grid.stats().peers) expect(peer).toMatchObject({ state: 'connected', reconnects: 0 });
      expect(new Set(house.log.lines)).toEqual(new Set([RELOADED]));
      expect(house.log.lines).toHaveLength(4);
    }
    process.stdout.write(`rotation: ${traffic.calls} calls, ${traffic.items} items on 6 streams, 0 failures\n`);
    // and what was rotated away opens no door
    const [a, b] = tenants as [Tenant, Tenant];
    const stale = await secretAuth([OLD], hood.origins, systemClock).sign({ from: a.grid.local, to: b.grid.local });
    expect(await RawDialer.refused(b.grid.local, stale)).toMatchObject({ status: 401 });
  });

  it('with each connection cut after each step: they come back at once, and nobody is refused', async () => {
    for (const secrets of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const tenant of tenants) {
        tenant.secrets = secrets;
        tenant.grid.reloadSecret();
        const before = tenants.map(({ grid }) => grid.stats().peers.map(({ reconnects }) => reconnects));
        for (const { house } of tenants) house.killIncoming();
        await until(
          () => tenants.every(({ grid }, i) => grid.stats().peers.every((p, j) => p.reconnects > before[i]![j]!)),
          'all are back',
        );
      }
    }
    for (const { house } of tenants) expect(house.log.matching(/refuse/)).toEqual([]);
  });

  it.each<[string, string | string[] | undefined, string]>([
    ['nothing', undefined, 'is undefined; is the environment variable set?'],
    ['a short one', 'hunter2', 'has 7 bytes; it must have at least 32'],
    ['a short one beside a long one', [NEW, 'hunter2'], '[1] has 7 bytes'],
    ['none', [], 'is an empty list'],
    ['a promise', Promise.resolve(NEW) as unknown as string, 'is a promise; wait for it'],
    ['a promise of another library', { then: () => {} } as unknown as string, 'is a promise; wait for it'],
    ['an object', { secret: NEW } as unknown as string, 'is an object; it must be a string'],
  ])('with %s keeps what was there, and says so without showing it', async (_, secrets, text) => {
    const [tenant] = tenants as [Tenant];
    tenant.secrets = secrets;
    const error = thrownBy(() => tenant.grid.reloadSecret());
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(`the result of auth.secret()${text.startsWith('[') ? '' : ' '}${text}`);
    const { log } = tenant.house;
    expect(log.matching(/secret/)).toEqual([`the secret is not reloaded, the one before stays: ${error.message}`]);
    expect(log.matching(/hunter2/)).toEqual([]);
    tenant.secrets = OLD;
    await allCouldDial();
  });

  it('takes no promise, and leaves none behind that rejects unseen', async () => {
    const [tenant] = tenants as [Tenant];
    tenant.secrets = Promise.reject(new Error('the vault is closed')) as unknown as string;
    expect(thrownBy(() => tenant.grid.reloadSecret()).message).toContain('is a promise');
    // jest fails a test in whose time a rejection is left unhandled
    await turn();
    tenant.secrets = OLD;
  });

  it('is refused where there is nobody to ask, and what the function throws is thrown', () => {
    const [tenant] = tenants as [Tenant];
    const fixed = tenant.house.grid({ auth: { secret: OLD }, route: '/other' });
    expect(thrownBy(() => fixed.reloadSecret()).code).toBe('FAILED_PRECONDITION');
    const open = tenant.house.grid({ auth: 'none', route: '/open' });
    expect(thrownBy(() => open.reloadSecret()).message).toBe('there is no secret: auth is not { secret }');
    Object.defineProperty(tenant, 'secrets', {
      get() {
        throw new Error('the vault is closed');
      },
    });
    expect(() => tenant.grid.reloadSecret()).toThrow('the vault is closed');
  });

  it('a function that gives what cannot be used stops the start', () => {
    const [{ house }] = tenants as [Tenant];
    const error = thrownBy(() => house.grid({ auth: { secret: () => 'hunter2' } }));
    expect(error.message).toBe('the result of auth.secret() has 7 bytes; it must have at least 32');
  });
});
