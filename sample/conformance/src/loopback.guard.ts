import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { BlockList, isIPv6 } from 'node:net';
import type { IncomingMessage } from 'node:http';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Lets in who asks from this machine; everybody else gets a 403. */
@Injectable()
export class LoopbackGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const address = context.switchToHttp().getRequest<IncomingMessage>().socket.remoteAddress;
    return address !== undefined && loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}
