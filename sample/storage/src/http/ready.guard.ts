import { Injectable, ServiceUnavailableException, type CanActivate } from '@nestjs/common';
import { DiskGate } from '../disk/disk-gate.js';

/** No object is served before this node knows its deployment. */
@Injectable()
export class ReadyGuard implements CanActivate {
  constructor(private readonly gate: DiskGate) {}

  canActivate(): boolean {
    if (!this.gate.isOpen) throw new ServiceUnavailableException('this node has not agreed on a deployment yet');
    return true;
  }
}
