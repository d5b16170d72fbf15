import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { from, type Observable } from 'rxjs';

/** Knows nothing of the transport. */
@Controller()
export class MathController {
  @EventPattern('lesson.begins')
  begin(@Payload() pupil: string): void {
    console.log(`math: ${pupil} is here`);
  }

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((sum, value) => sum + value, 0);
  }

  @MessagePattern('squares')
  squares(@Payload() upTo: number): Observable<number> {
    return from(Array.from({ length: upTo }, (_, index) => (index + 1) ** 2));
  }

  @MessagePattern('divide')
  divide(@Payload() [a, b]: [number, number]): number {
    if (b === 0) throw new RpcException({ status: 400, message: 'division by zero' });
    return a / b;
  }
}
