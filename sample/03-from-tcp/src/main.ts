import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MathController } from './math.controller.js';
import { Pupil } from './pupil.js';

// the switch: everything that differs between the two transports is in these two files
const transport = process.env.TRANSPORT === 'tcp' ? 'tcp' : 'grid';
const { mathImports, pupilImports, start } = await (transport === 'tcp' ? import('./tcp.js') : import('./grid.js'));

@Module({ imports: mathImports, controllers: [MathController] })
class MathModule {}

@Module({ imports: pupilImports, providers: [Pupil] })
class PupilModule {}

console.log(`over ${transport}`);
const math = await NestFactory.create(MathModule, { logger: ['error'] });
await start(math, 'math');
const pupil = await NestFactory.create(PupilModule, { logger: ['error'] });
await start(pupil, 'pupil');

await pupil.get(Pupil).learn();
if (process.argv.includes('--once')) {
  await math.close();
  await pupil.close();
}
