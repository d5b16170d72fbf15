import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Grid, GridError } from 'nestjs-grid';
import { fakeGrid } from 'nestjs-grid/testing';
import { Shop } from './shop.js';
import { Reserve } from './stock.controller.js';

test('the shop, with hosts that are played', async () => {
  const grid = fakeGrid({ 'http://a:9000': {}, 'http://b:9000': {}, 'http://c:9000': {} });
  grid.disconnect('http://a:9000');
  grid.answer('http://b:9000', Reserve, () => {
    throw new GridError('FAILED_PRECONDITION', 'sold out');
  });
  grid.answer('http://c:9000', Reserve, ({ count }) => 10 - count);

  const providers = [Shop, { provide: Grid, useValue: grid }]; // with a whole AppModule: overrideProvider(Grid)
  const module = await Test.createTestingModule({ providers }).compile();
  expect(await module.get(Shop).buy('lamp', 2)).toBe('2 lamp from http://c:9000, 8 left');
  expect(grid.calls.map(({ peer }) => peer)).toEqual(['http://a:9000', 'http://b:9000', 'http://c:9000']);
  await module.close();
});
