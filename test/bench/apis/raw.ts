import { bytes, GridManager, type GridOptions, type GridPeer } from 'nestjs-grid/core';
import { ADDRESS, type Api, type ApiClient, type Meeting } from '../api.js';
import { counted } from './counted.js';
import { CAPACITY, generated, Handler, idle, observed, pushed } from './sources.js';

/** The host that listens at that port. */
export function originOf({ certificate }: Meeting, port: number): string {
  return `${certificate ? 'https' : 'http'}://${ADDRESS}:${port}`;
}

/** What the grids of both ends are told; the rest stands at its default, CRC and limits included. */
export function gridOptions(meeting: Meeting, local: number): GridOptions {
  const { serverPort, clientPort, certificate } = meeting;
  return {
    local: originOf(meeting, local),
    hosts: [serverPort, clientPort].map((port) => originOf(meeting, port)),
    auth: 'none',
    logger: { log() {}, warn() {}, error: (text: string) => console.error(text) },
    ...(certificate && { listen: { tls: certificate }, tls: { ca: certificate.cert } }),
  };
}

/** Registers what every server of the benchmark answers. */
export function handleAll(grid: GridManager): void {
  const { Echo, Items, Idle, ObservedItems, PushedItems } = Handler;
  const stream = { kind: 'stream', outCapacity: CAPACITY } as const;
  grid.handle(Echo, { kind: 'request' }, (payload) => payload);
  grid.handle(Items, stream, (payload: Buffer) => generated(payload.readUInt32LE(0)));
  grid.handle(ObservedItems, stream, (payload: Buffer) => observed(payload.readUInt32LE(0)));
  grid.handle(PushedItems, stream, (payload: Buffer) => pushed(payload.readUInt32LE(0)));
  grid.handle(Idle, { kind: 'stream' }, idle);
}

export async function startGrid(options: GridOptions): Promise<GridManager> {
  const grid = new GridManager({ ...options, codec: bytes() });
  handleAll(grid);
  await grid.listen();
  await grid.start();
  return grid;
}

/** The server as the client process sees it. */
export async function connectRaw(meeting: Meeting): Promise<GridPeer> {
  const grid = await startGrid(gridOptions(meeting, meeting.clientPort));
  const peer = grid.peer(originOf(meeting, meeting.serverPort));
  await peer.waitForConnect({ timeoutMs: 30_000 });
  return peer;
}

export async function serveRaw(meeting: Meeting): Promise<void> {
  await startGrid(gridOptions(meeting, meeting.serverPort));
}

export function echoOf(peer: GridPeer): Pick<ApiClient, 'echo'> {
  return { echo: (payload) => peer.request<Uint8Array>(Handler.Echo, payload) };
}

/** The number of items asked for, as a payload. */
export function countPayload(count: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(count);
  return payload;
}

export const raw: Api = {
  serve: serveRaw,

  async connect(meeting) {
    const peer = await connectRaw(meeting);
    return {
      ...echoOf(peer),
      async items(count) {
        let taken = 0;
        for await (const _ of peer.stream<Uint8Array>(Handler.Items, countPayload(count))) taken++;
        return taken;
      },
      observed: (count) =>
        counted(peer.stream<Uint8Array>(Handler.ObservedItems, countPayload(count)).toObservable()),
    };
  },
};
