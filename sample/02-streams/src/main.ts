import { Grid } from 'nestjs-grid';
import { BrowserController } from './browser.controller.js';
import { hosts, startHost } from './host.js';
import { ImportController } from './import.controller.js';

const front = await startHost(hosts[0], BrowserController);
const worker = await startHost(hosts[1], ImportController);
const peer = front.get(Grid).peer(hosts[1]);
await peer.waitForConnect();

// 1. leaving the loop cancels the call
for await (const tick of peer.stream<string>(20)) {
  console.log(`front: ${tick}`);
  if (tick === 'tick 3') break;
}

// 2. write() waits for credit: the worker sets the pace
const call = peer.stream<{ lines: number }, string>(21, 'small.csv', { inCapacity: 16 });
const written = (async () => {
  for (let line = 0; line < 1_000; line++) await call.write(`line ${line}`);
  call.end();
})();
for await (const { lines } of call) console.log(`front: ${lines} lines are imported`);
await written;

// 3. what a browser gets: server-sent events, until it goes away
const page = await fetch(`${hosts[0]}/import/1000`);
for (const line of (await page.text()).split('\n')) {
  if (line.startsWith('data:')) console.log(`browser: ${line}`);
}
const left = new AbortController();
const reader = (await fetch(`${hosts[0]}/import/100000000`, { signal: left.signal })).body!.getReader();
await reader.read();
left.abort();
console.log('browser: closed the page');
await reader.closed.catch((error: unknown) => {
  // we aborted it
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
});

if (process.argv.includes('--once')) await Promise.all([front.close(), worker.close()]);
else console.log(`now open ${hosts[0]} in a browser`);
