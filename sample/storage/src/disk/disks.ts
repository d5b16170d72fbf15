import { Inject, Injectable } from '@nestjs/common';
import { Grid, InjectGrid } from 'nestjs-grid';
import { NODE_CONFIG, originOf, type NodeConfig } from '../node/node-config.js';
import type { Disk } from './disk.js';
import { RemoteDisk } from './remote-disk.js';

/** The disks of all nodes, by number. */
@Injectable()
export class Disks {
  readonly all: readonly Disk[];

  constructor(@InjectGrid() grid: Grid, @Inject(NODE_CONFIG) config: NodeConfig) {
    this.all = config.hosts.map((_, node) => new RemoteDisk(node, grid.peer(originOf(config, node))));
  }
}
