import type { Grid, GridClient, GridPeer } from 'nestjs-grid';
import { from, type Observable } from 'rxjs';
import type { Entry } from '../contracts.js';
import { Look, Ping, Since, Upload, Walk } from '../contracts.js';

export async function calls(grid: Grid, peer: GridPeer, client: GridClient): Promise<unknown[]> {
  const entry: Entry = await peer.request(Look, { key: 'k' }, { timeoutMs: 5, validate: true });
  const pong: string = await peer.request(Ping);
  const { days }: { days: number } = await peer.request(Since, '2026-01-01');
  const sizes: number[] = [];
  for await (const { size } of peer.stream(Walk, { key: 'k' })) sizes.push(size);
  const upload = peer.stream(Upload, { key: 'k' });
  await upload.write(new Uint8Array(1));
  for await (const written of upload) sizes.push(written);
  peer.stream(Upload, { key: 'k' }, { input: from([Buffer.alloc(1)]) });
  const observed: Observable<number> = upload.toObservable();
  const sent: Observable<Entry> = client.send(Walk, { key: 'k' });
  // without a contract anything goes, as everywhere in Nest
  const loose: number = await peer.request(60, { any: 'thing' });
  const looser: number = await peer.request<number>({ cmd: 'sum' }, [1, 2]);
  const each: Observable<number> = peer.send<number>(60);
  for await (const outcome of grid.requestAll(Look, { key: 'k' })) {
    if (outcome.status === 'fulfilled') sizes.push(outcome.value.size);
  }
  for (const outcome of await grid.requestAll<number>(60).all()) {
    if (outcome.status === 'fulfilled') sizes.push(outcome.value);
  }
  return [entry, pong, days, sizes, observed, sent, loose, looser, each, client.send('any', 1)];
}
