import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Disk } from '../disk/disk.js';
import { DiskGate } from '../disk/disk-gate.js';
import { Disks } from '../disk/disks.js';
import { LocalDisk } from '../disk/local-disk.js';
import { NODE_CONFIG, originOf, type NodeConfig } from '../node/node-config.js';
import { decide, type Report } from './decision.js';
import { decodeFormat, encodeFormat, FORMAT_PATH } from './format.js';

const ASK_AGAIN_MS = 150;

/** Agrees with the other nodes on one deployment ID before the disk is opened to them. */
@Injectable()
export class Deployment {
  private readonly logger = new Logger(Deployment.name);
  private agreed: string | undefined;

  constructor(
    private readonly disks: Disks,
    private readonly own: LocalDisk,
    private readonly gate: DiskGate,
    @Inject(NODE_CONFIG) private readonly config: NodeConfig,
  ) {}

  /** undefined until all is agreed. */
  get id(): string | undefined {
    return this.agreed;
  }

  /** Resolves when this node belongs to the deployment; rejects, in words for the operator, when it cannot. */
  async agree(): Promise<string> {
    const giveUpAt = performance.now() + this.config.agreeWithinMs;
    for (;;) {
      const reports = await Promise.all(this.disks.all.map((disk) => this.report(disk)));
      const decision = decide(this.config.node, reports);
      switch (decision.kind) {
        case 'keep':
          return this.enter(decision.deployment, reports);
        case 'adopt':
          await this.write(decision.deployment);
          return this.enter(decision.deployment, reports);
        case 'create': {
          const deployment = randomUUID();
          await this.write(deployment);
          return this.enter(deployment, reports);
        }
        case 'refuse':
          throw new Error(`node ${this.config.node} (${this.config.dataFolder}) cannot join: ${decision.why}`);
        case 'wait':
          if (performance.now() > giveUpAt) {
            throw new Error(
              `no agreement on a deployment within ${this.config.agreeWithinMs} ms, still waiting for ${decision.why}`,
            );
          }
          await delay(ASK_AGAIN_MS);
      }
    }
  }

  /** Looks again at a node that (re)appeared: its folder may have been exchanged. */
  async inspect(node: number): Promise<void> {
    const disk = this.disks.all[node];
    if (disk && this.agreed !== undefined) this.judge(node, await this.report(disk), this.agreed);
  }

  private enter(deployment: string, reports: readonly Report[]): string {
    this.agreed = deployment;
    this.gate.open(deployment);
    reports.forEach((report, node) => this.judge(node, report, deployment));
    this.logger.log(`node ${this.config.node} belongs to deployment ${deployment}`);
    return deployment;
  }

  private judge(node: number, report: Report, deployment: string): void {
    if (report.kind === 'silent') return;
    const origin = originOf(this.config, node);
    // a fresh disk is nobody's yet: it will be of this deployment or its node will not start
    if (report.kind === 'fresh' || report.format.deployment === deployment) return this.gate.admit(origin);
    this.gate.refuse(origin, report.format.deployment);
    this.logger.error(
      `${origin} is refused: it belongs to deployment ${report.format.deployment}, this node to ${deployment}`,
    );
  }

  private async report(disk: Disk): Promise<Report> {
    // the own disk is asked directly: what stands there must be right, a fault is no silence
    const isOwn = disk.node === this.config.node;
    try {
      const bytes = await (isOwn ? this.own : disk).readAll(FORMAT_PATH);
      return bytes ? { kind: 'formatted', format: decodeFormat(bytes) } : { kind: 'fresh' };
    } catch (error) {
      if (isOwn) throw error;
      return { kind: 'silent', why: (error as Error).message };
    }
  }

  private async write(deployment: string): Promise<void> {
    const { node, hosts } = this.config;
    await this.own.writeAll(FORMAT_PATH, encodeFormat({ deployment, node, nodes: hosts.length }));
  }
}
