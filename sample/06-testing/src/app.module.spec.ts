import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { GridTestingModule } from 'nestjs-grid/testing';
import { AppModule } from './app.module.js';
import { Shop } from './shop.js';

test('whole apps: the module that runs in production, its grid replaced', async () => {
  const cluster = await GridTestingModule.create({
    app: () => Test.createTestingModule({ imports: [AppModule.at('http://unused:9000', ['http://unused:9000'])] }),
  });
  const shop = cluster.nodes[0]!.app.get(Shop);
  expect(await shop.buy('lamp', 2)).toBe('2 lamp from http://node-2:9000, 1 left');
  cluster.assertIdle();
  await cluster.close();
});
