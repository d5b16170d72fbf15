import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Injectable, type ExecutionContext } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClsModule, ClsService, type ClsModuleOptions } from 'nestjs-cls';
import type { GridContext } from 'nestjs-grid';
import { GridTestingModule } from 'nestjs-grid/testing';
import { Observable, toArray, firstValueFrom } from 'rxjs';
import { turn } from '../turn.js';

interface Store {
  user: string;
}

/** Far from the handler: knows of the call only by its store. */
@Injectable()
class Account {
  constructor(private readonly cls: ClsService<{ user: string }>) {}

  user(): string {
    return this.cls.get('user') ?? 'nobody';
  }
}

/** What the teardowns and the events of a test saw. */
let seen: string[] = [];
let told: () => void = () => {};

function tell(what: string): void {
  seen.push(what);
  told();
}

function nextTold(): Promise<void> {
  return new Promise((resolve) => {
    told = resolve;
  });
}

@Controller()
class Handlers {
  constructor(private readonly account: Account) {}

  @MessagePattern(60)
  async answer(): Promise<string> {
    await turn();
    return this.account.user();
  }

  @MessagePattern(61)
  async *generate(@Payload() count: number): AsyncGenerator<string> {
    try {
      for (let i = 0; i < count; i++) {
        yield this.account.user();
        await turn();
      }
    } finally {
      tell(`finally of ${this.account.user()}`);
    }
  }

  @MessagePattern(62)
  observe(@Payload() ends: boolean): Observable<string> {
    return new Observable((subscriber) => {
      subscriber.next(this.account.user());
      setImmediate(() => {
        subscriber.next(this.account.user());
        if (ends) subscriber.complete();
      });
      return () => tell(`teardown of ${this.account.user()}`);
    });
  }

  @EventPattern(63)
  async event(): Promise<void> {
    await Promise.resolve();
    tell(`event of ${this.account.user()}`);
  }
}

const setup = (cls: ClsService, context: ExecutionContext): void => {
  cls.set('user', context.switchToRpc().getContext<GridContext>().getMetadata()['user']);
};

/** The two ways in which nestjs-cls gives a handler its store. */
const WAYS: Record<string, ClsModuleOptions> = {
  guard: { guard: { mount: true, setup } },
  interceptor: { interceptor: { mount: true, setup } },
};

describe.each(Object.entries(WAYS))('nestjs-cls by its %s', (way, options) => {
  let hosts: GridTestingModule;

  beforeEach(async () => {
    seen = [];
    const metadata = { imports: [ClsModule.forRoot(options)], controllers: [Handlers], providers: [Account] };
    const connect = { inheritAppConfig: true };
    hosts = await GridTestingModule.create({ nodes: 2, metadata, connect, grid: { drainTimeoutMs: 100 } });
  });

  afterEach(() => hosts.close());

  const as = (user: string): { metadata: Store & Record<string, string> } => ({ metadata: { user } });

  test('each handler sees the store of its own call, many at a time', async () => {
    const users = Array.from({ length: 50 }, (_, i) => `user ${i}`);
    const answers = users.map((user) => hosts.peer(0, 1).request(60, null, as(user)));
    await expect(Promise.all(answers)).resolves.toEqual(users);
  });

  test('each step of a generator and its teardown do, at its end and when the caller leaves', async () => {
    const users = ['ann', 'ben', 'cleo'];
    const streams = users.map(async (user) => {
      const values = new Set<string>();
      for await (const value of hosts.peer(0, 1).stream<string>(61, 100, as(user))) values.add(value);
      return [...values];
    });
    await expect(Promise.all(streams)).resolves.toEqual(users.map((user) => [user]));
    expect(seen.toSorted()).toEqual(users.map((user) => `finally of ${user}`));
    const left = nextTold();
    for await (const value of hosts.peer(0, 1).stream<string>(61, 1e6, as('dan'))) {
      expect(value).toBe('dan');
      break;
    }
    await left;
    expect(seen.at(-1)).toBe('finally of dan');
  });

  test('an Observable and its teardown do', async () => {
    const torn = nextTold();
    for await (const value of hosts.peer(0, 1).stream<string>(62, true, as('ann'))) seen.push(value);
    await torn;
    expect(seen.toSorted()).toEqual(['ann', 'ann', 'teardown of ann']);
    // its interceptor does not hand an unsubscription on
    if (way !== 'guard') return;
    const left = nextTold();
    for await (const value of hosts.peer(0, 1).stream<string>(62, false, as('ben'))) {
      expect(value).toBe('ben');
      break;
    }
    await left;
    expect(seen.at(-1)).toBe('teardown of ben');
  });

  test('an event, a send and a call of the host to itself do', async () => {
    const ran = nextTold();
    await hosts.peer(0, 1).emit(63, null, as('ann'));
    await ran;
    expect(seen).toEqual(['event of ann']);
    const values = hosts.peer(0, 1).send<string>(61, 3, as('ben')).pipe(toArray());
    await expect(firstValueFrom(values)).resolves.toEqual(['ben', 'ben', 'ben']);
    await expect(hosts.peer(0, 0).request(60, null, as('cleo'))).resolves.toBe('cleo');
  });
});
