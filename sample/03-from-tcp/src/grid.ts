import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { connectGrid, Grid, GridModule } from 'nestjs-grid';
import { ports } from './ports.js';

const math = `http://127.0.0.1:${ports.math}`;
const pupil = `http://127.0.0.1:${ports.pupil}`;
const auth = { secret: process.env.GRID_SECRET ?? 'only for this sample, 32 bytes or more' };
const hosts = [math, pupil];

export const mathImports: ModuleMetadata['imports'] = [GridModule.forRoot({ local: math, hosts, auth })];

export const pupilImports: ModuleMetadata['imports'] = [
  GridModule.forRoot({ local: pupil, hosts, auth }),
  GridModule.forFeature([{ name: 'MATH', peer: math }]),
];

export async function start(app: INestApplication, name: 'math' | 'pupil'): Promise<void> {
  await connectGrid(app);
  await app.listen(ports[name]);
  // a call does not wait for a connection: before there is one, it fails at once
  if (name === 'pupil') await app.get(Grid).peer(math).waitForConnect();
}
