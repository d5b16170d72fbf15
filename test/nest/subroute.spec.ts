import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller, Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { GridContext, GridSubroute, type GridPeer } from 'nestjs-grid';
import { GridTestingModule } from 'nestjs-grid/testing';

@Injectable()
class Counted implements CanActivate {
  static calls = 0;
  canActivate(): boolean {
    Counted.calls++;
    return true;
  }
}

class Disk {
  protected readonly name: string = 'none';

  @MessagePattern(60)
  @UseGuards(Counted)
  read(@Payload() path: string, @Ctx() context: GridContext): unknown {
    return [this.name, path, context.subroute];
  }

  @MessagePattern({ id: 61, subroute: 'meta' })
  meta(): string {
    return `meta of ${this.name}`;
  }

  @MessagePattern({ cmd: 'stat' })
  stat(): string {
    return `stat of ${this.name}`;
  }
}

@Controller()
@GridSubroute('disk1')
class Disk1 extends Disk {
  protected override readonly name = 'disk1';
}

@Controller()
@GridSubroute(['pool', 'disk2'])
class Disk2 extends Disk {
  protected override readonly name = 'disk2';

  override stat(): string {
    return 'not a handler: it has no decorator of its own';
  }
}

let cluster: GridTestingModule;
let peer: GridPeer;
beforeAll(async () => {
  cluster = await GridTestingModule.create({ metadata: { controllers: [Disk1, Disk2] } });
  peer = cluster.peer(0, 1);
});
afterAll(() => cluster.close());

test('two subclasses of one base each have their own prefix, their guards and their parameters', async () => {
  expect(await peer.subroute('disk1').request(60, 'a')).toEqual(['disk1', 'a', 'disk1']);
  expect(await peer.subroute('pool', 'disk2').request(60, 'b')).toEqual(['disk2', 'b', 'pool/disk2']);
  expect(Counted.calls).toBe(2);
  expect(await peer.request({ id: 61, subroute: 'disk1/meta' })).toBe('meta of disk1');
  expect(await peer.subroute('pool').request({ id: 61, subroute: ['disk2', 'meta'] })).toBe('meta of disk2');
  expect(await peer.subroute('disk1').request({ cmd: 'stat' })).toBe('stat of disk1');
  await expect(peer.subroute('pool/disk2').request({ cmd: 'stat' })).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  await expect(peer.request(60, 'c')).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
});

test('a subroute for what is known at run time only', async () => {
  const remove = cluster.nodes[1]!.grid.handle(62, { subroute: 'disk3' }, (payload: string) => `disk3 ${payload}`);
  expect(await peer.subroute('disk3').request(62, 'x')).toBe('disk3 x');
  remove();
  await expect(peer.subroute('disk3').request(62, 'x')).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
});

test('an empty part is refused, naming the class', () => {
  class Disk {}
  for (const wrong of ['', [], ['a', '']]) {
    expect(() => GridSubroute(wrong)(Disk)).toThrow(/^@GridSubroute of Disk: (a|each part of a) subroute must/);
  }
});
