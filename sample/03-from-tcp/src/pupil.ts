import { Inject, Injectable } from '@nestjs/common';
import { ClientProxy } from '@nestjs/microservices';
import { catchError, firstValueFrom, lastValueFrom, of, toArray } from 'rxjs';

/** Knows nothing of the transport either: a plain ClientProxy. */
@Injectable()
export class Pupil {
  constructor(@Inject('MATH') private readonly math: ClientProxy) {}

  async learn(): Promise<void> {
    await lastValueFrom(this.math.emit('lesson.begins', 'the pupil'), { defaultValue: undefined });
    console.log('1 + 2 + 3 =', await firstValueFrom(this.math.send<number>({ cmd: 'sum' }, [1, 2, 3])));
    console.log('squares:', await firstValueFrom(this.math.send<number>('squares', 4).pipe(toArray())));
    const failed = this.math.send<number>('divide', [1, 0]).pipe(catchError((error: unknown) => of(error)));
    console.log('1 / 0:', await firstValueFrom(failed));
  }
}
