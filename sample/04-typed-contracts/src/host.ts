import { Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connectGrid, GridModule } from 'nestjs-grid';

const port = Number(process.env.PORT ?? 9001);
export const hosts = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`] as const;

/** One host: an ordinary Nest HTTP app with the grid on the same port. */
export async function startHost(local: string, controllers: Type[] = []): Promise<INestApplication> {
  const auth = { secret: process.env.GRID_SECRET ?? 'only for this sample, 32 bytes or more' };

  @Module({ imports: [GridModule.forRoot({ local, hosts, auth })], controllers })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  await connectGrid(app);
  await app.listen(new URL(local).port);
  return app;
}
