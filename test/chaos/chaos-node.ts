import { Inject, Module, type DynamicModule, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { getGridToken, Grid } from 'nestjs-grid';
import { AppModule } from '../../sample/storage/src/app.module.js';
import { LOCK_GRID } from '../../sample/storage/src/contracts.js';
import { LockModule } from '../../sample/storage/src/lock/lock.module.js';
import { readNodeConfig, type NodeConfig } from '../../sample/storage/src/node/node-config.js';
import { startNode } from '../../sample/storage/src/node/storage-node.js';
import { superviseNode } from '../../sample/storage/src/node/supervision.js';
import { CallTap } from './call-tap.js';
import { Journal } from './journal.js';
import { CALL_TAPS, ProbeController } from './probe.controller.js';
import { Standstill } from './standstill.js';
import { TurnedClock } from './turned-clock.js';

/** Where the nodes of a run write down what they do. */
export const JOURNALS = 'CHAOS_JOURNALS';
/** How far the date of a node is off from its start on, in milliseconds. */
export const CLOCK_STEP = 'CHAOS_CLOCK_STEP_MS';

/** The sample's app as it is, with taps on its two grids. */
@Module({})
export class ChaosModule implements OnModuleInit, OnApplicationShutdown {
  static for(config: NodeConfig, clock: TurnedClock, journal: Journal): DynamicModule {
    const caller = `${config.node}.${process.pid}`;
    const standstill = new Standstill();
    const taps = ['data', 'locks'].map((grid) => new CallTap(`${caller}.${grid}`, journal, standstill));
    return {
      module: ChaosModule,
      imports: [AppModule.for(config, { clock }), LockModule],
      controllers: [ProbeController],
      providers: [
        { provide: TurnedClock, useValue: clock },
        { provide: Journal, useValue: journal },
        { provide: Standstill, useValue: standstill },
        { provide: CALL_TAPS, useValue: taps },
      ],
    };
  }

  constructor(
    @Inject(CALL_TAPS) private readonly taps: readonly CallTap[],
    @Inject(getGridToken()) private readonly data: Grid,
    @Inject(getGridToken(LOCK_GRID)) private readonly locks: Grid,
    private readonly standstill: Standstill,
  ) {}

  onModuleInit(): void {
    this.taps[0]?.attach(this.data);
    this.taps[1]?.attach(this.locks);
  }

  onApplicationShutdown(): void {
    for (const tap of this.taps) tap.end();
    this.standstill.end();
  }
}

await superviseNode(async () => {
  const config = readNodeConfig(process.env);
  const clock = new TurnedClock(Number(process.env[CLOCK_STEP] ?? 0));
  const journal = new Journal(process.env[JOURNALS] ?? '', `${config.node}-${process.pid}`);
  const verbose = process.env['STORAGE_VERBOSE'] === '1';
  const levels = verbose ? (['log', 'warn', 'error', 'fatal'] as const) : (['error', 'fatal'] as const);
  return startNode(config, [...levels], ChaosModule.for(config, clock, journal));
});
