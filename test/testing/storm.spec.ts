import { afterEach, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { GridError, GridInput, GridStream } from 'nestjs-grid';
import { GridTestingModule } from 'nestjs-grid/testing';
import { until } from '../nest/until.js';

const NODES = 3;
const ROUNDS = 40;
const CALLS = 12;

/** Calls whose handler ran. */
const ran = new Set<string>();

@Controller()
class Handlers {
  @MessagePattern(60)
  async echo(@Payload() id: string): Promise<string> {
    ran.add(id);
    if (id.endsWith('3')) await new Promise<void>((resolve) => setImmediate(resolve));
    return id;
  }

  @GridStream(61, { inCapacity: 2, outCapacity: 2 })
  async *double(@Payload() id: string, @GridInput() numbers: AsyncIterable<number>): AsyncGenerator<number> {
    ran.add(id);
    for await (const number of numbers) yield number * 2;
  }
}

/** Lets the event loop go round so many times. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** The same numbers at each run: what fails, fails again. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

let cluster: GridTestingModule;
afterEach(() => cluster.close());

test('calls in a storm of faults: each ends, right or with an error that tells the truth, and nothing is left', async () => {
  const grid = { drainTimeoutMs: 100 };
  cluster = await GridTestingModule.create({ nodes: NODES, metadata: { controllers: [Handlers] }, grid });
  const random = randomNumbers(20_26);
  const outcomes = { answered: 0, failed: 0, notSent: 0 };

  const attempt = async (id: string): Promise<void> => {
    await turns(random(8));
    const from = random(NODES);
    const peer = cluster.peer(from, (from + 1 + random(NODES - 1)) % NODES);
    try {
      if (random(2) === 0) expect(await peer.request(60, id)).toBe(id);
      else {
        const doubles: number[] = [];
        for await (const double of peer.stream<number>(61, id, { input: [1, 2, 3, 4, 5] })) doubles.push(double);
        // cut output throws, it never looks like its end
        expect(doubles).toEqual([2, 4, 6, 8, 10]);
      }
      outcomes.answered++;
    } catch (error) {
      if (!GridError.is(error)) throw error;
      expect(error.code).toBe('UNAVAILABLE');
      outcomes.failed++;
      if (!error.notSent) return;
      outcomes.notSent++;
      expect([id, ran.has(id)]).toEqual([id, false]);
    }
  };

  for (let round = 0; round < ROUNDS; round++) {
    const from = random(NODES);
    const wire = cluster.wire(from, (from + 1 + random(NODES - 1)) % NODES);
    const point = random(2) === 0 ? { afterBytes: random(400) } : { afterMessages: random(12) };
    const fault = random(4);
    if (fault === 0) wire.cut(point);
    if (fault === 1) wire.corrupt(point);
    if (fault === 2) wire.delay(2, point);
    if (fault === 3) wire.stall(point);
    const calls = Array.from({ length: CALLS }, (_, call) => attempt(`${round}.${call}`));
    if (fault === 3) {
      await turns(12);
      if (random(2) === 0) wire.cut();
      wire.heal();
    }
    await Promise.all(calls);
    wire.heal();
    await cluster.connected();
  }

  expect(outcomes.answered + outcomes.failed).toBe(ROUNDS * CALLS);
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(0);
  await until('all is idle', () => {
    try {
      cluster.assertIdle();
      return true;
    } catch {
      return false;
    }
  });
});
