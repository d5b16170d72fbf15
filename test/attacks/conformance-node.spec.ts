// The same attacks on the conformance node as its users start it: what holds for the manager holds through Nest.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MB, volume } from '../scale.js';
import { ARSENAL } from './arsenal.js';
import { Siege } from './siege.js';
import { NodeHold } from './stronghold.js';

let siege: Siege | undefined;
beforeAll(async () => {
  siege = await Siege.around((host) => NodeHold.raise(host));
}, 60_000);
afterAll(() => siege?.end());

it.each(ARSENAL.map((attack, index) => ({ ...attack, index })))(
  '$name',
  async ({ name, most, mostOfNode = most, run, index }) => {
    await siege!.begin();
    await run(siege!, siege!.names[index]!);
    await siege!.lift(`node: ${name}`, mostOfNode * MB);
  },
  volume(120_000, 600_000),
);

it('a browser, a token in the URL, no token and a wrong one are refused before the upgrade', async () => {
  const token = `Bearer ${siege!.victim.token}`;
  const { route } = siege!.victim;
  const open = (headers: Record<string, string>, query = ''): Promise<unknown> =>
    siege!.open({ headers, route: `${route}${query}` });
  await expect(open({ origin: 'http://evil.test', authorization: token })).rejects.toThrow('403');
  await expect(open({ authorization: '' }, `?token=${siege!.victim.token}`)).rejects.toThrow('401');
  await expect(open({ authorization: 'Bearer wrong' })).rejects.toThrow('401');
});
