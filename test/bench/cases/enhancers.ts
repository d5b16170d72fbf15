import 'reflect-metadata';
import {
  Controller,
  Injectable,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { MessagePattern, Payload, type ClientProxy } from '@nestjs/microservices';
import { IsInt, IsString, Length, Min } from 'class-validator';
import { firstValueFrom, map, type Observable } from 'rxjs';
import { connectNest, startApp } from '../apis/nest.js';
import { connectTcp, serveTcp } from '../apis/nest-tcp.js';
import type { BenchCase } from '../case.js';
import { findingOf, runLoad, type Work } from '../load.js';
import type { Finding } from '../measurement.js';

/** What travels, there and back. */
class Order {
  @IsString()
  @Length(1, 64)
  id!: string;

  @IsInt()
  @Min(1)
  count!: number;
}

const ORDER: Order = { id: 'a-warehouse-somewhere/a-shelf-in-it', count: 12 };

@Injectable()
class Guard implements CanActivate {
  canActivate(_: ExecutionContext): boolean {
    return true;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => value));
  }
}

/** The handlers, by what stands before them. */
const PATTERNS = { plain: 70, guard: 71, interceptor: 72, ValidationPipe: 73 } as const;

@Controller()
class OrderController {
  @MessagePattern(PATTERNS.plain)
  plain(@Payload() order: Order): Order {
    return order;
  }

  @UseGuards(Guard)
  @MessagePattern(PATTERNS.guard)
  guarded(@Payload() order: Order): Order {
    return order;
  }

  @UseInterceptors(Interceptor)
  @MessagePattern(PATTERNS.interceptor)
  intercepted(@Payload() order: Order): Order {
    return order;
  }

  @UsePipes(new ValidationPipe())
  @MessagePattern(PATTERNS.ValidationPipe)
  validated(@Payload() order: Order): Order {
    return order;
  }
}

/** The same handler bare and behind each of Nest's enhancers. */
export const enhancers: BenchCase = {
  async serve({ api }, meeting) {
    if (api === 'nest') await startApp(meeting, meeting.serverPort, [OrderController]);
    else await serveTcp(meeting, [OrderController]);
    return {};
  },

  async measure(scene) {
    const { meeting, run } = scene;
    const client: ClientProxy = run.api === 'nest' ? await connectNest(meeting) : await connectTcp(meeting);
    const findings: (Finding & { cpuSPer100k: number })[] = [];
    for (const [variant, pattern] of Object.entries(PATTERNS)) {
      findings.push({ variant, ...findingOf(await runLoad(scene, orderWork(client, pattern), run.measureMs / 2)) });
    }
    const bare = findings[0]!.cpuSPer100k;
    // 1 s for 100,000 calls is 10 microseconds for one
    return findings.map((finding) => ({
      ...finding,
      figures: { 'µs CPU more per call': (finding.cpuSPer100k - bare) * 10 },
    }));
  },
};

function orderWork(client: ClientProxy, pattern: number): Work<Order> {
  return {
    call: () => firstValueFrom(client.send<Order>(pattern, ORDER)),
    isRight: (_, answer) => answer.id === ORDER.id && answer.count === ORDER.count,
  };
}
