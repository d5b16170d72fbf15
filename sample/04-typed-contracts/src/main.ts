import { Grid, GridError } from 'nestjs-grid';
import { CountOrders, PlaceOrder, WatchOrder } from './contracts.js';
import { hosts, startHost } from './host.js';
import { OrdersController } from './orders.controller.js';

const shop = await startHost(hosts[0]);
const warehouse = await startHost(hosts[1], [OrdersController]);
const peer = shop.get(Grid).peer(hosts[1]);
await peer.waitForConnect();

// payload and answer are typed by the contract
const order = {
  customer: 'Ada',
  items: [
    { sku: 'lamp', count: 2 },
    { sku: 'desk', count: 1 },
  ],
};
const { number, pieces } = await peer.request(PlaceOrder, order);
console.log(`order ${number}: ${pieces} pieces`);

for await (const state of peer.stream(WatchOrder, number)) console.log(`order ${number}: ${state}`);

// a wrong payload does not compile; should it come nevertheless, the handler does not run
try {
  // @ts-expect-error customer is missing
  await peer.request(PlaceOrder, { items: [{ sku: 'chair', count: 0 }] });
} catch (error) {
  if (!(error instanceof GridError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
console.log(`${await peer.request(CountOrders)} order in the books`);

if (process.argv.includes('--once')) await Promise.all([shop.close(), warehouse.close()]);
