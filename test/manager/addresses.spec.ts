import dns from 'node:dns';
import net from 'node:net';
import { afterEach, expect, it, jest } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { freeHost } from '../ports.js';
import { until } from '../until.js';
import { LogBook, SECRET } from './neighbourhood.js';

afterEach(() => {
  jest.restoreAllMocks();
});

it('a dial that ends before the name of the host is looked up says so: no later one may hear why', async () => {
  const { lookup } = dns;
  jest.spyOn(dns, 'lookup').mockImplementation(((name: string, options: object, done: never) => {
    if (name !== 'b.test') lookup(name, options, done);
  }) as never);
  const names = Array.from({ length: 32 }, (_, i) => `http://host-${i}`);
  const local = names.find((name) => localDials(name, 'http://b.test:9000'))!;
  const logger = new LogBook();
  const intervals = { redialMs: 1, dialTimeoutMs: 20 };
  const hosts = [local, 'http://b.test:9000'];
  const grid = new GridManager({ local, hosts, auth: { secret: SECRET }, logger, intervals });
  void grid.start();
  await until(() => logger.lines.length > 0, 'two dials have failed');
  await grid.close();
  expect(logger.lines[0]).toContain(': no answer within 20 ms: its name is still looked up (2 attempts');
});

it('the time for each address of a host gets shorter with each dial that fails, so that all are tried', async () => {
  const times: unknown[] = [];
  const { connect } = net;
  jest.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
    times.push(options.autoSelectFamilyAttemptTimeout);
    return connect(options);
  }) as never);
  const peer = await freeHost();
  const names = Array.from({ length: 32 }, (_, i) => `http://host-${i}`);
  const local = names.find((name) => localDials(name, peer))!;
  const intervals = { redialMs: 1, dialTimeoutMs: 2_000 };
  const grid = new GridManager({
    local,
    hosts: [local, peer],
    auth: { secret: SECRET },
    logger: new LogBook(),
    intervals,
  });
  void grid.start();
  await until(() => times.length >= 4, 'four dials');
  await grid.close();
  // a slow network needs the time of the first: a second for each of two
  expect(times.slice(0, 4)).toEqual([1_000, 500, 250, 1_000]);
});
