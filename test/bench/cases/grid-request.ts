import { bytes, GridManager, type GridOptions } from 'nestjs-grid/core';
import type { BenchCase, Meeting } from '../case.js';

const ECHO = 60;

const originOf = (port: number): string => `http://127.0.0.1:${port}`;

/** What the grids of both ends are told; the rest stands at its default, CRC and limits included. */
export function gridOptions({ serverPort, clientPort }: Meeting, local: number): GridOptions {
  const silent = { log() {}, warn() {}, error: (text: string) => console.error(text) };
  return { local: originOf(local), hosts: [originOf(serverPort), originOf(clientPort)], auth: 'none', logger: silent };
}

async function start(meeting: Meeting, local: number): Promise<GridManager> {
  const grid = new GridManager({ ...gridOptions(meeting, local), codec: bytes() });
  grid.handle(ECHO, { kind: 'request' }, (payload) => payload);
  await grid.listen();
  await grid.start();
  return grid;
}

export const gridRequest: BenchCase = {
  async serve(meeting) {
    await start(meeting, meeting.serverPort);
  },

  async connect(meeting) {
    const grid = await start(meeting, meeting.clientPort);
    const peer = grid.peer(originOf(meeting.serverPort));
    await peer.waitForConnect({ timeoutMs: 10_000 });
    return (payload) => peer.request<Uint8Array>(ECHO, payload);
  },
};
