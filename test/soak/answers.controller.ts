import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { GridError, GridInput, GridRequest, GridStream, type GridContext } from 'nestjs-grid';

/** What both hosts can be asked, by number. */
export const ECHO = 1;
export const FAIL = 2;
/** Ends when the call does, and not before. */
export const WAIT = 3;
export const ITEMS = 4;
export const BREAKS = 5;
export const SUM = 6;
/** Nobody answers this one. */
export const NOBODY = 7;
export const TOLD = 'told';
export const ASKED = 'asked';

/** Values of a stream that is read to its end. */
export const ITEM_COUNT = 5;

/** The handlers, as methods of a Nest app. */
@Controller()
export class AnswersController {
  @GridRequest(ECHO)
  echo(payload: Uint8Array): Uint8Array {
    return payload;
  }

  @GridRequest(FAIL)
  fail(): never {
    throw refusal();
  }

  @GridRequest(WAIT)
  wait(_: unknown, @Ctx() { signal }: GridContext): Promise<void> {
    return untilOver(signal);
  }

  @GridStream(ITEMS, { outCapacity: 2 })
  items(payload: Uint8Array): AsyncGenerator<Uint8Array> {
    return items(payload);
  }

  @GridStream(BREAKS)
  breaks(payload: Uint8Array): AsyncGenerator<Uint8Array> {
    return breaks(payload);
  }

  @GridStream(SUM, { inCapacity: 2 })
  sum(_: unknown, @GridInput() input: AsyncIterable<number>): Promise<number> {
    return sum(input);
  }

  @EventPattern(TOLD)
  told(@Payload() _news: string): void {}

  @MessagePattern(ASKED)
  asked(@Payload() payload: string): string {
    return payload;
  }
}

export function refusal(): GridError {
  return new GridError('NOT_FOUND', 'there is no such thing');
}

export function untilOver(signal: AbortSignal): Promise<void> {
  return new Promise((over) => {
    if (signal.aborted) over();
    else signal.addEventListener('abort', () => over(), { once: true });
  });
}

export async function* items(payload: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < ITEM_COUNT; index++) yield payload;
}

export async function* breaks(payload: Uint8Array): AsyncGenerator<Uint8Array> {
  yield payload;
  throw refusal();
}

export async function sum(input: AsyncIterable<number>): Promise<number> {
  let total = 0;
  for await (const number of input) total += number;
  return total;
}
