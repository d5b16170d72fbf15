// Every attack of the arsenal on the manager alone: it stays up, its memory flat, another peer's calls are answered.
import { afterAll, beforeAll, it } from '@jest/globals';
import { MB, volume } from '../scale.js';
import { ARSENAL } from './arsenal.js';
import { Siege } from './siege.js';
import { ManagerHold } from './stronghold.js';

let siege: Siege | undefined;
beforeAll(async () => {
  siege = await Siege.around((host) => ManagerHold.raise({ ...host, intervals: { writeTimeoutMs: 1_000 } }));
}, 60_000);
afterAll(() => siege?.end());

it.each(ARSENAL.map((attack, index) => ({ ...attack, index })))(
  '$name',
  async ({ name, most, run, index }) => {
    await siege!.begin();
    await run(siege!, siege!.names[index]!);
    await siege!.lift(name, most * MB);
  },
  volume(120_000, 600_000),
);
