import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { Controller, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { connectGrid, Grid, GridModule } from 'nestjs-grid';
import { InjectPinoLogger, Logger, LoggerModule, PinoLogger } from 'nestjs-pino';
import { freeHosts, portOf } from '../ports.js';
import { SECRET } from '../nest/test-app.js';
import { until } from '../until.js';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly context?: string;
}

/** pino's levels. */
const [INFO, WARN, ERROR] = [30, 40, 50];

@Controller()
class Handlers {
  constructor(@InjectPinoLogger('Handlers') private readonly logger: PinoLogger) {}

  @MessagePattern(60)
  echo(payload: string): string {
    this.logger.info(`echo ${payload}`);
    return payload;
  }

  @MessagePattern(61)
  break(): never {
    throw new Error('broken');
  }
}

async function start(local: string, hosts: string[], lines: Line[]): Promise<INestApplication> {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, written) {
      lines.push(JSON.parse(chunk.toString()) as Line);
      written();
    },
  });
  class AppModule {}
  const grid = GridModule.forRoot({
    local,
    hosts,
    auth: { secret: SECRET },
    drainTimeoutMs: 100,
    intervals: { redialMs: 50 },
  });
  Module({ imports: [LoggerModule.forRoot({ pinoHttp: { stream } }), grid], controllers: [Handlers] })(AppModule);
  const app = await NestFactory.create(AppModule, { bufferLogs: true });
  app.useLogger(app.get(Logger));
  await connectGrid(app);
  await app.listen(portOf(local), '127.0.0.1');
  return app;
}

test('nestjs-pino writes what the grid, its handlers and their failures log', async () => {
  const lines: Line[] = [];
  const hosts = await freeHosts(2);
  const [app, other] = [await start(hosts[0]!, hosts, lines), await start(hosts[1]!, hosts, [])];
  const grid = other.get(Grid);
  const peer = grid.peer(hosts[0]!);
  await peer.waitForConnect({ timeoutMs: 30_000 });
  await peer.request(60, 'x');
  await expect(peer.request(61)).rejects.toMatchObject({ code: 'INTERNAL' });
  await other.close();
  await until(() => lines.some(({ msg }) => msg.includes('is leaving')), 'the end of the connection is logged');
  await app.close();
  const of = (context: string): unknown[] =>
    lines.filter((line) => line.context === context).map(({ level, msg }) => [level, msg]);
  expect(of('Handlers')).toEqual([[INFO, 'echo x']]);
  expect(of('Grid')).toEqual(
    expect.arrayContaining([
      [ERROR, expect.stringMatching(/^handler 61: Error: broken\n +at /)],
      [WARN, `${hosts[1]!} is leaving: this host is shutting down`],
    ]),
  );
});
