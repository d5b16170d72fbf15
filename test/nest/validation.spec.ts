import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Controller, StandardSchemaValidationPipe, ValidationPipe } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { Type } from 'class-transformer';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { GridContext, GridInput, GridStream } from 'nestjs-grid';
import { from, type Observable } from 'rxjs';
import { z } from 'zod';
import { gridPair, type GridPair } from './grid-pair.js';

class Page {
  @IsString()
  bucket!: string;

  @IsInt()
  @Min(1)
  @Type(() => Number)
  size!: number;
}

class Order {
  @ValidateNested({ each: true })
  @Type(() => Page)
  pages!: Page[];
}

const Upload = z.object({ name: z.string().min(1), parts: z.coerce.number().int() });

@Controller()
class Validated {
  @MessagePattern(1)
  value(@Payload() page: Page, @Ctx() context: GridContext): unknown {
    return [page instanceof Page, page, context.getPattern()];
  }

  @MessagePattern(2)
  observable(@Payload() page: Page): Observable<unknown> {
    return from([page instanceof Page, page]);
  }

  @MessagePattern(3)
  async *generator(@Payload() page: Page): AsyncGenerator {
    yield page instanceof Page;
    yield page;
  }

  @GridStream(4, { inCapacity: 2 })
  async *both(@Payload() page: Page, @GridInput() input: AsyncIterable<Page>): AsyncGenerator {
    yield page instanceof Page;
    yield page;
    for await (const message of input) yield message;
  }

  @GridStream(5, { inCapacity: 2 })
  async *schema(
    @Payload({ schema: Upload }) upload: z.infer<typeof Upload>,
    @GridInput() input: AsyncIterable<string>,
  ): AsyncGenerator {
    yield upload;
    for await (const message of input) yield message;
  }

  @MessagePattern(6)
  schemaOfOne(@Payload({ schema: Upload }) upload: z.infer<typeof Upload>): unknown {
    return upload;
  }

  @MessagePattern(7)
  order(@Payload() order: Order): number {
    return order.pages.length;
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({
    metadata: { controllers: [Validated] },
    connect: { inheritAppConfig: true },
    prepare: (app) =>
      app.useGlobalPipes(
        new ValidationPipe({ transform: true, whitelist: true }),
        new StandardSchemaValidationPipe({ transform: true }),
      ),
  });
});
afterAll(() => pair.close());

async function all(id: number, payload: unknown, input?: unknown[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of pair.peer.stream(id, payload, input && { input, inCapacity: 2 })) values.push(value);
  return values;
}

const PAGE = { bucket: 'b', size: '3', evil: true };
const CHECKED = { bucket: 'b', size: 3 };

describe('a global ValidationPipe({ transform, whitelist }) with classes', () => {
  test('checks and changes the payload of a request and of streams of both kinds', async () => {
    expect(await pair.peer.request(1, PAGE)).toEqual([true, CHECKED, '1']);
    expect(await all(2, PAGE)).toEqual([true, CHECKED]);
    expect(await all(3, PAGE)).toEqual([true, CHECKED]);
  });

  test('leaves the input of a stream alone', async () => {
    const input = Array.from({ length: 50 }, (_, i) => ({ bucket: i, kept: true }));
    expect(await all(4, PAGE, input)).toEqual([true, CHECKED, ...input]);
  });

  test.each([1, 2, 3, 4])('what it refuses is INVALID_ARGUMENT with what is wrong (%i)', async (id) => {
    const failing = id === 1 ? pair.peer.request(1, { bucket: 'b', size: 0 }) : all(id, { bucket: 'b', size: 0 }, []);
    await expect(failing).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { statusCode: 400, message: ['size must not be less than 1'] },
    });
  });
});

test('of a long list of faults the caller gets as many as an answer holds, and how many more there were', async () => {
  const pages = Array.from({ length: 500 }, () => ({ bucket: 'b', size: 0 }));
  const error: unknown = await pair.peer.request(7, { pages }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { statusCode: 400, error: 'Bad Request' } });
  const { message } = (error as { details: { message: string[] } }).details;
  expect(message[0]).toBe('pages.0.size must not be less than 1');
  expect(message.length).toBeGreaterThan(100);
  expect(message.at(-1)).toBe(`and ${500 - message.length + 1} more`);
});

describe('Nest’s Standard Schema: @Payload({ schema })', () => {
  test('checks and changes the payload, of a stream with input too', async () => {
    expect(await pair.peer.request(6, { name: 'n', parts: '2' })).toEqual({ name: 'n', parts: 2 });
    expect(await all(5, { name: 'n', parts: '2' }, ['a', 'b'])).toEqual([{ name: 'n', parts: 2 }, 'a', 'b']);
  });

  test('what it refuses is INVALID_ARGUMENT with the paths', async () => {
    const error = { code: 'INVALID_ARGUMENT', details: { message: [expect.stringMatching(/^name/)] } };
    await expect(pair.peer.request(6, { name: '', parts: 1 })).rejects.toMatchObject(error);
    await expect(all(5, { name: '', parts: 1 }, [])).rejects.toMatchObject(error);
  });
});
