// The conformance node as its users start it: the same caps hold through Nest.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { EOF, op } from '../conformance/raw-codec.js';
import { ROUTE } from '../conformance/raw-peer.js';
import { running, Stage } from '../conformance/stage.js';
import { RawWebSocket } from './raw-websocket.js';
import { volume } from '../scale.js';
import { closeOf, letIn, type Attacker } from './siege.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set({ dialers: 2 });
}, 60_000);
afterAll(() => stage.strike());

async function attack(): Promise<Attacker> {
  const headers = { authorization: 'Bearer debug' };
  return letIn(await RawWebSocket.open(stage.local, { route: ROUTE, headers }), stage.dialers[1]!, { token: 'debug' });
}

it('streams that are opened and never read stop at openStreams; another peer is served', async () => {
  const honest = await stage.peer();
  const attacker = await attack();
  const streams = volume(11_000, 50_000);
  const flood = attacker.flood(streams, (i) => ({ op: op.ConnectMux, muxId: i + 1, handler: 67, flags: EOF }));
  for (let n = 0; n < 20; n++) await honest.settle();
  await flood;
  await until(async () => attacker.count(op.MuxConnectError) === streams - 10_000, 'not refused', 15_000);
  expect(await running(honest)).toBe(10_000);
  attacker.ws.destroy();
  await until(async () => (await running(honest)) === 0, 'handlers are left', 15_000);
  await stage.clear();
}, 60_000);

it('pings without end are closed with 1008, a Merged of 4 billion messages with 1002', async () => {
  const pinging = await attack();
  await pinging.flood(100_000, () => ({ op: op.Ping }));
  expect((await closeOf(pinging.ws))[0]).toBe(1008);
  const merging = await attack();
  await merging.send({ op: op.Merged, seq: 4_294_967_295 });
  expect((await closeOf(merging.ws))[0]).toBe(1002);
});
