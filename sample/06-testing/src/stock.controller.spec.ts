import { expect, test } from '@jest/globals';
import { GridTestingModule } from 'nestjs-grid/testing';
import { Reserve, StockController } from './stock.controller.js';

test('the controller, called over a grid in memory', async () => {
  const cluster = await GridTestingModule.create({ metadata: { controllers: [StockController] } });
  const stock = cluster.peer(0, 1);
  expect(await stock.request(Reserve, { sku: 'lamp', count: 2 })).toBe(1);
  await expect(stock.request(Reserve, { sku: 'lamp', count: 2 })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
  });
  cluster.wire(1, 0).cut({ afterMessages: 0 }); // the answer is lost
  await expect(stock.request(Reserve, { sku: 'lamp', count: 1 })).rejects.toMatchObject({ notSent: false });
  cluster.assertIdle();
  await cluster.close();
});
