import { Module, type DynamicModule } from '@nestjs/common';
import { NODE_CONFIG, type NodeConfig } from './node-config.js';

/** Lets every provider ask for the configuration of this node. */
@Module({})
export class NodeModule {
  static for(config: NodeConfig): DynamicModule {
    return {
      module: NodeModule,
      global: true,
      providers: [{ provide: NODE_CONFIG, useValue: config }],
      exports: [NODE_CONFIG],
    };
  }
}
