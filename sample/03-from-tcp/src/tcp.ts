import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ClientsModule, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { ports } from './ports.js';

const options = { port: ports.tcp };

export const mathImports: ModuleMetadata['imports'] = [];

export const pupilImports: ModuleMetadata['imports'] = [
  ClientsModule.register([{ name: 'MATH', transport: Transport.TCP, options }]),
];

export async function start(app: INestApplication, name: 'math' | 'pupil'): Promise<void> {
  if (name === 'math') {
    app.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
    await app.startAllMicroservices();
  }
  await app.listen(ports[name]);
}
