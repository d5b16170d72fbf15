import { Payload } from '@nestjs/microservices';
import { GridRequest, type Grid } from 'nestjs-grid';
import type { Entry, Query } from '../contracts.js';
import { Look, Since, Until, Walk } from '../contracts.js';

export class Handlers {
  // refused: Type 'Query' is not assignable to type 'number'
  @GridRequest(Look)
  payload(_query: number): Entry {
    return { size: 1 };
  }

  // refused: Type 'string' is not assignable to type 'RequestResult<Entry>'
  @GridRequest(Look)
  result(_query: Query): string {
    return '';
  }

  // refused: Type 'Promise<number>' is not assignable to type 'RequestResult<Entry>'
  @GridRequest(Look)
  async late(@Payload() _query: Query): Promise<number> {
    return 1;
  }

  // refused: Type '"stream"' is not assignable to type '"request"'
  @GridRequest(Walk)
  kind(_query: Query): Entry {
    return { size: 1 };
  }

  // refused: is not assignable to type 'number'
  @GridRequest(Since)
  schema(_since: number): { days: number } {
    return { days: 1 };
  }

  // refused: Type 'Date' is not assignable to type 'string'
  @GridRequest(Since)
  beforeTheSchema(_since: string): { days: number } {
    return { days: 1 };
  }

  // refused: Type 'Date' is not assignable to type 'RequestResult<string>'
  @GridRequest(Until)
  afterTheSchema(): Date {
    return new Date();
  }
}

export function atRunTime(grid: Grid): void {
  // refused: Type 'string' is not assignable to type 'Entry | Observable<Entry> | Promise<Entry>'
  grid.handle(Look, {}, () => 'no entry');
}
