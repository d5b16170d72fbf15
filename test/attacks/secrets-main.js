// Hosts of a grid that print all they can: every object, every error, every line. The secrets come by a message, so
// that neither environment nor arguments hold them; what else turned out to be one (tokens) goes back the same way.
import 'reflect-metadata';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { format, inspect } from 'node:util';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WebSocket } from 'ws';
import { GridManager, systemClock, textOf } from '../../dist/core.js';
import { connectGrid, Grid, GridModule } from '../../dist/index.js';

const [{ secret, other, short, token, ca, own, wrongKey, expired }] = await once(process, 'message');
const tokens = new Set();
const closing = [];

function show(name, value) {
  const hidden = { depth: Infinity, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null };
  console.log(`-- ${name}`);
  console.log(value);
  console.log(inspect(value, hidden));
  console.log(format('%o %O %j %s', value, value, value, value));
  console.error(value);
  if (value instanceof Error) {
    console.log(String(value), value.message, value.stack, textOf(value));
    for (let cause = value.cause; cause !== undefined; cause = cause.cause) {
      console.log(inspect(cause, hidden), cause.stack, JSON.stringify(cause));
    }
  }
}

function begin(name) {
  console.log(`== ${name}`);
}

function thrown(name, act) {
  try {
    act();
  } catch (error) {
    return show(name, error);
  }
  throw new Error(`${name}: nothing was thrown`);
}

async function rejected(name, promise) {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (error === undefined) throw new Error(`${name}: nothing was thrown`);
  show(name, error);
}

/** An app's server that keeps the tokens which it sees. */
async function house(tls) {
  const server = tls ? createHttpsServer(tls) : createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return { server, origin: `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}` };
}

/** Prints, as by default, and tells of each line. */
function loggerOf(onLine) {
  const print = (how) => (line) => {
    console[how](line);
    onLine(line);
  };
  return { log: print('log'), warn: print('warn'), error: print('error') };
}

function gridAt({ origin, server }, hosts, options, onLine = () => {}) {
  const grid = new GridManager({
    local: origin,
    hosts,
    auth: { secret },
    logger: loggerOf(onLine),
    intervals: { redialMs: 20 },
    drainTimeoutMs: 0,
    ...options,
  });
  grid.attach(server);
  // the grid takes its requests before any listener: what they carry is seen before that
  const attached = server.emit;
  server.emit = function (event, ...args) {
    if (event === 'upgrade') tokens.add((args[0].headers.authorization ?? '').replace('Bearer ', ''));
    return Reflect.apply(attached, this, [event, ...args]);
  };
  let events = 0;
  grid.events.subscribe((event) => events++ < 10 && show(`event ${event.type}`, event));
  return grid;
}

/** Two hosts with their options, once they are connected, refused or away; they are gone when `act` has ended. */
async function pair(name, left, right, tls, act = async () => {}) {
  begin(name);
  const places = [await house(tls), await house(tls)];
  const hosts = places.map(({ origin }) => origin);
  let settle;
  const settled = new Promise((resolve) => (settle = resolve));
  const onLine = (line) => /refuse|cannot reach/.test(line) && settle();
  const grids = [gridAt(places[0], hosts, left, onLine), gridAt(places[1], hosts, right, onLine)];
  for (const grid of grids) grid.events.subscribe(({ type }) => type === 'up' && settle());
  for (const grid of grids) void grid.start();
  await settled;
  await act(grids);
  await Promise.all(grids.map((grid) => grid.close()));
}

const base = { local: 'http://a:1', hosts: ['http://a:1', 'http://b:1'], auth: { secret } };

begin('options');
for (const [name, change] of Object.entries({
  'secret short': { auth: { secret: short } },
  'secret short in a list': { auth: { secret: [secret, short] } },
  'secret of a function': { auth: { secret: () => [secret, short] } },
  'secret as auth': { auth: secret },
  'secret in a list as auth': { auth: [secret] },
  'secret as sign': { auth: { sign: secret, verify: () => {} } },
  'secret as verify': { auth: { sign: () => {}, verify: { secret } } },
  'secret in an object': { auth: { secret: { secret } } },
  'secret as a promise': { auth: { secret: Promise.resolve(secret) } },
  'a word too many': { auth: { secret, algorithm: secret } },
  'key of another': { tls: { cert: own.cert, key: wrongKey } },
  'key as tls': { tls: own.key },
  'keys in a list as tls': { tls: [own.key] },
  'key as its cert': { tls: { cert: own.key, key: own.key } },
  'key of another kind': { tls: { key: [{ pem: 5, passphrase: secret }] } },
  'passphrase of another kind': { tls: { cert: own.cert, key: own.key, passphrase: { secret } } },
  'version too low': { tls: { ...own, minVersion: 'TLSv1' } },
  'version that is a secret': { tls: { ...own, minVersion: secret } },
  'listener: key of another': { listen: { tls: { cert: own.cert, key: wrongKey } } },
  'listener in a list': { listen: [{ tls: own }] },
  'listener: a word too many': { listen: { tls: own, key: own.key } },
  'listener: port': { listen: { tls: own, port: -1 } },
  'a word too many at the top': { secrets: secret },
})) {
  thrown(name, () => new GridManager({ ...base, ...change }));
}
thrown('options in a list', () => new GridManager([{ ...base, tls: own }]));

const mutual = { ...own, ca, requestCert: true, rejectUnauthorized: false };
const dialing = { tls: { ...own, ca, passphrase: secret } };
await pair('all is well, over mutual TLS', dialing, dialing, mutual, async (grids) => {
  const [a, b] = grids;
  for (const grid of grids) {
    grid.handle(60, {}, (payload, context) => {
      show('context', context);
      return payload;
    });
    grid.handle(61, {}, async function* () {
      yield 1;
      throw new Error('a handler broke');
    });
    await grid.peers[0].waitForConnect({ timeoutMs: 15_000 });
  }
  await a.peer(b.local).request(60, 'x');
  await b.peer(a.local).request(60, 'x');
  const stream = a.peer(b.local).stream(61);
  show('stream', stream);
  const drained = async () => {
    for await (const item of stream) show('item', item);
  };
  await rejected('stream', drained());
  await rejected('no handler', a.peer(b.local).request(99));
  for (const grid of grids) {
    show('grid', grid);
    show('several', { grid, peers: grid.peers, list: [grid] });
    show('options', grid.options);
    show('stats', grid.stats());
    show('peers', grid.peers);
    show('handlers', grid.handlers);
    console.log(JSON.stringify(grid), JSON.stringify(grid.options), JSON.stringify(grid.stats()));
  }
  thrown('reload without a function', () => a.reloadSecret());
  await rejected('reload of TLS without a function', a.reloadTls());
});

let spoiled = false;
const renewable = {
  auth: { secret: () => (spoiled ? [secret, short] : secret) },
  tls: async () => (spoiled ? { cert: own.cert, key: wrongKey, ca } : { ...own, ca }),
};
await pair('reloaded', renewable, renewable, { ...own, ca }, async (grids) => {
  await Promise.all(grids.map((grid) => grid.reloadTls()));
  for (const grid of grids) grid.reloadSecret();
  spoiled = true;
  for (const grid of grids) {
    thrown('a secret that cannot be used', () => grid.reloadSecret());
    await rejected('a key that cannot be used', grid.reloadTls());
    show('grid', grid);
  }
});

await pair('another secret', {}, { auth: { secret: other } });
await pair('no secret', { auth: 'none' }, {});
await pair('no secret, the other way round', {}, { auth: 'none' });
await pair('a clock that is off', {}, { clock: { ...systemClock, date: () => Date.now() + 3_600_000 } });
await pair('a certificate that is over', { tls: { ...expired, ca } }, { tls: { ...expired, ca } }, {
  ...own,
  ca,
  requestCert: true,
  rejectUnauthorized: false,
});

class Vault {
  secret = secret;
  sign() {
    return token;
  }
  verify(shown) {
    if (shown !== token) throw new Error('it is not the one of the vault');
  }
}
const vaults = [{ auth: new Vault() }, { auth: new Vault() }];
await pair('tokens of the application', ...vaults, undefined, async (grids) => {
  for (const grid of grids) {
    show('grid', grid);
    show('options', grid.options);
  }
});
const unfit = { auth: { sign: () => `${token}\n`, verify() {} } };
await pair('a token that no header can hold', unfit, unfit);

begin('refusals');
{
  const place = await house();
  const grid = gridAt(place, [place.origin, 'http://b:1'], { limits: { refusedPerMinute: 8 } });
  closing.unshift(() => grid.close());
  const ask = async (headers, path = '/grid/v1') => {
    const socket = new WebSocket(`${place.origin.replace('http', 'ws')}${path}`, { headers });
    const answered = new Promise((resolve) => {
      socket.once('unexpected-response', (_request, response) => {
        response.setEncoding('utf8');
        response.on('data', (text) => console.log(response.statusCode, text));
        response.on('end', resolve);
      });
      socket.on('error', resolve);
    });
    await answered;
    socket.terminate();
  };
  await ask({ authorization: `Bearer ${token}` });
  void grid.start();
  await ask({ authorization: `Bearer ${token}` });
  await ask({ authorization: `Bearer ${token}`, origin: 'http://evil.test' });
  await ask({ authorization: `Basic ${token}` });
  await ask({}, `/grid/v1?token=${token}`);
  await ask({}, `/elsewhere?token=${token}`);
  await ask({ authorization: `Bearer ${token}`, 'x-minio-time': 'now' });
  for (let n = 0; n < 9; n++) await ask({ authorization: `Bearer ${token}` });
}

begin('Nest');
{
  const place = await house();
  class App {}
  Module({
    imports: [
      GridModule.forRoot({ local: place.origin, hosts: [place.origin], auth: { secret }, tls: { ...own, ca } }),
    ],
  })(App);
  const app = await NestFactory.create(App);
  closing.unshift(() => app.close());
  show('not connected', app.get(Grid));
  await rejected('too early', app.get(Grid).peer(place.origin).request(1));
  await connectGrid(app);
  await app.listen(0, '127.0.0.1');
  const grid = app.get(Grid);
  show('grid', grid);
  show('client', grid.client(place.origin));
  await rejected('no handler', grid.peer(place.origin).request(1));
  class Wrong {}
  Module({ imports: [GridModule.forRoot({ ...base, auth: { secret: short } })] })(Wrong);
  await rejected('a start that fails', NestFactory.create(Wrong, { abortOnError: false }));
}

for (const close of closing) await close();
console.log('== done');
process.send([...tokens].filter((seen) => seen.length > 0));
process.disconnect();
