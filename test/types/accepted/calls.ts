import type { CallOptions, Grid, GridClient, GridPeer, RequestContract } from 'nestjs-grid';
import { from, type Observable } from 'rxjs';
import type { Entry } from '../contracts.js';
import { Count, Dates, Lines, Look, Note, Ping, Since, Ticks, Until, Upload, Walk } from '../contracts.js';

/** Of any contract whose schemas, if it has some, change nothing. */
export function askTwice<Res>(peer: GridPeer, contract: RequestContract<void, Res>): Promise<Res>[] {
  return [peer.request(contract), peer.request(contract)];
}

export async function calls(grid: Grid, peer: GridPeer, client: GridClient, options: CallOptions): Promise<unknown[]> {
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
  const ponged: Observable<string> = client.send(Ping);
  // without a contract anything goes, as everywhere in Nest
  const loose: number = await peer.request(60, { any: 'thing' });
  const looser: number = await peer.request<number>({ cmd: 'sum' }, [1, 2]);
  const each: Observable<number> = peer.send<number>(60);
  const answered: Observable<Entry> = peer.send(Look, { key: 'k' }, { timeoutMs: 5 });
  const walked: Observable<Entry> = peer.send(Walk, { key: 'k' });
  const text: Observable<string> = peer.send(Until);
  const date: Observable<Date> = peer.send(Until, undefined, { validate: true });
  await peer.request(Note, 'text');
  const count: number = await peer.request(Count);
  for await (const tick of peer.stream(Ticks)) tick.toFixed();
  await peer.stream(Lines, 'name').write('line');
  for await (const outcome of grid.requestAll(Count)) {
    if (outcome.status === 'fulfilled') outcome.value.toFixed();
  }
  for await (const outcome of grid.requestAll(Look, { key: 'k' })) {
    if (outcome.status === 'fulfilled') sizes.push(outcome.value.size);
  }
  for (const outcome of await grid.requestAll<number>(60).all()) {
    if (outcome.status === 'fulfilled') sizes.push(outcome.value);
  }
  // schemas that change values: an answer is what the handler gave, or what the schema makes of it for who checks
  const given: string = await peer.request(Until, undefined, { timeoutMs: 5 });
  const unchecked: string = await peer.request(Until, undefined, { validate: false });
  const changed: Date = await peer.request(Until, undefined, { validate: true });
  const either: string | Date = await peer.request(Until, undefined, options);
  const same: Entry = await peer.request(Look, { key: 'k' }, options);
  const dates = peer.stream(Dates, {}, { input: ['2026-01-01'] });
  await dates.write('2026-01-02');
  for await (const date of dates) date.slice(1);
  for await (const date of peer.stream(Dates, { step: 2 }, { validate: true, inCapacity: 1 })) date.getTime();
  for await (const outcome of grid.requestAll(Until, undefined, { validate: true, peers: [] })) {
    if (outcome.status === 'fulfilled') outcome.value.getTime();
  }
  const observedText: Observable<string> = client.send(Until);
  const answers = [given, unchecked, changed, either, same, observedText];
  const cold = [each, answered, walked, text, date];
  const some = [client.send('any', 1), client.send({ cmd: 'any' })];
  return [answers, entry, pong, days, sizes, observed, sent, ponged, loose, looser, cold, some, count];
}
