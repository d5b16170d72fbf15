import { isDeepStrictEqual } from 'node:util';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload, type ClientProxy } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { connectNest, startApp } from '../apis/nest.js';
import { connectTcp, serveTcp } from '../apis/nest-tcp.js';
import type { BenchCase } from '../case.js';
import { findingOf, runLoad, type Work } from '../load.js';
import type { Finding } from '../measurement.js';

/** Different ones of a kind, taken in turn. */
const KINDS = 64;

/** Of the calls under load, one in this many is compared with what was sent. */
const CHECK_EVERY = 1024;

/** What an order service would send: names, texts, numbers, nothing that JSON does not hold. */
function orderOf(index: number): object {
  return {
    id: 48_213_377 + index,
    customer: { id: `c_9f8a7b${index}`, name: 'Ada Lovelace', email: `ada.${index}@example.com`, vip: index % 3 === 0 },
    status: 'PENDING',
    createdAt: new Date(1.7e12 + index * 61_007).toISOString(),
    total: 1234.5 + index,
    currency: 'EUR',
    tags: ['new', 'web', 'prio'],
    items: Array.from({ length: 5 }, (_, line) => ({
      sku: `SKU-${1000 + index * 5 + line}`,
      quantity: line + 1,
      price: 19.99 + line,
      available: line % 2 === 0,
    })),
    note: null,
  };
}

const orders = Array.from({ length: KINDS }, (_, index) => orderOf(index));

const VARIANTS: Readonly<Record<string, readonly object[]>> = {
  'an order': orders,
  'a page of 20': orders.map((_, index) => ({ page: index, orders: [...orders, ...orders].slice(index, index + 20) })),
};

const PATTERN = 80;

@Controller()
class OrderController {
  @MessagePattern(PATTERN)
  echo(@Payload() value: object): object {
    return value;
  }
}

/** Objects there and back, each as its transport writes them by itself. */
export const objects: BenchCase = {
  async serve({ api }, meeting) {
    if (api === 'nest') await startApp(meeting, meeting.serverPort, [OrderController]);
    else await serveTcp(meeting, [OrderController]);
    return {};
  },

  async measure(scene) {
    const { meeting, run } = scene;
    const client: ClientProxy = run.api === 'nest' ? await connectNest(meeting) : await connectTcp(meeting);
    const findings: Finding[] = [];
    for (const [variant, values] of Object.entries(VARIANTS)) {
      findings.push({ variant, ...findingOf(await runLoad(scene, objectWork(client, values))) });
    }
    return findings;
  },
};

function objectWork(client: ClientProxy, values: readonly object[]): Work<object> {
  return {
    call: (turn) => firstValueFrom(client.send<object>(PATTERN, values[turn % KINDS]!)),
    isRight: (turn, answer) => turn % CHECK_EVERY !== 0 || isDeepStrictEqual(answer, values[turn % KINDS]),
  };
}
