import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { GridContext } from 'nestjs-grid';
import { ReadAll, type PathRequest } from '../contracts.js';
import { FORMAT_PATH } from '../format/format.js';
import { DiskGate } from './disk-gate.js';

/** Asks the gate before each call. Only `format.json` may be read by anyone at any time: how else could nodes agree. */
@Injectable()
export class DiskGuard implements CanActivate {
  constructor(private readonly gate: DiskGate) {}

  canActivate(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc();
    const { peer, handlerId } = rpc.getContext<GridContext>();
    if (handlerId === ReadAll.id && rpc.getData<PathRequest | undefined>()?.path === FORMAT_PATH) return true;
    this.gate.check(peer);
    return true;
  }
}
