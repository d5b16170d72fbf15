import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { GridContext } from 'nestjs-grid';

export interface Info {
  free: number;
  asked: string;
}

@Controller()
export class DiskController {
  /** One answer: a value or a Promise. */
  @MessagePattern(60)
  info(@Payload() request: { disk: number }, @Ctx() context: GridContext): Info {
    return { free: request.disk * 100, asked: context.peer };
  }

  /** Many answers: an async generator, pulled only as fast as the caller reads. */
  @MessagePattern(61)
  async *walk(@Payload() request: { bucket: string }): AsyncGenerator<string> {
    for (const name of ['a.jpg', 'b.jpg', 'c.jpg']) yield `${request.bucket}/${name}`;
  }
}
