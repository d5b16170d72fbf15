import { Injectable } from '@nestjs/common';
import { GridError } from 'nestjs-grid';

/** Who may use this node's disk: nobody before the deployment is known, then the nodes of the same deployment. */
@Injectable()
export class DiskGate {
  private deployment: string | undefined;
  /** Deployment by origin. */
  private readonly foreign = new Map<string, string>();

  get isOpen(): boolean {
    return this.deployment !== undefined;
  }

  open(deployment: string): void {
    this.deployment = deployment;
  }

  /** From now on calls of this host are refused: its disk belongs to another deployment. */
  refuse(origin: string, deployment: string): void {
    this.foreign.set(origin, deployment);
  }

  admit(origin: string): void {
    this.foreign.delete(origin);
  }

  /** Throws, in words for the caller, unless the host may come in. */
  check(origin: string): void {
    if (this.deployment === undefined) {
      throw new GridError('UNAVAILABLE', 'this node has not agreed on a deployment yet');
    }
    const foreign = this.foreign.get(origin);
    if (foreign === undefined) return;
    throw new GridError(
      'FAILED_PRECONDITION',
      `${origin} belongs to deployment ${foreign}, this node to ${this.deployment}`,
    );
  }
}
