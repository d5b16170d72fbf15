// What a user writes, compiled once as ESM and once as CommonJS against the packed tarball: see pack.spec.ts.
import 'reflect-metadata';
import { Controller, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { connectGrid, Grid, GridContext, GridError, GridModule } from 'nestjs-grid';

@Controller()
class EchoController {
  @MessagePattern(60)
  echo(@Payload() text: string, @Ctx() context: GridContext): string {
    return `${text} from ${context.peer}`;
  }

  @MessagePattern(61)
  async *count(@Payload() last: number): AsyncGenerator<number> {
    for (let next = 1; next <= last; next++) yield next;
  }
}

@Module({ controllers: [EchoController] })
class AppModule {}

async function start(local: string, hosts: string[]): Promise<INestApplication> {
  const grid = GridModule.forRoot({ local, hosts, auth: { secret: 'of at least thirty-two bytes, as every secret' } });
  const app = await NestFactory.create({ module: AppModule, imports: [grid] }, { logger: ['error'] });
  await connectGrid(app);
  await app.listen(Number(new URL(local).port), '127.0.0.1');
  return app;
}

async function main(): Promise<void> {
  const hosts = process.argv.slice(2);
  const [first, second] = hosts as [string, string];
  const apps = await Promise.all(hosts.map((local) => start(local, hosts)));
  const peer = apps[0]!.get(Grid).peer(second);
  await peer.waitForConnect({ timeoutMs: 30_000 });

  const echo = await peer.request<string>(60, 'hello');
  const counted: number[] = [];
  for await (const next of peer.stream<number>(61, 3)) counted.push(next);
  const refusal: unknown = await peer.request(62).catch((error: unknown) => error);
  const unknown = refusal instanceof GridError ? refusal.code : String(refusal);
  await Promise.all(apps.map((app) => app.close()));
  console.log(JSON.stringify({ echo: echo === `hello from ${first}`, counted, unknown }));
}

void main();
