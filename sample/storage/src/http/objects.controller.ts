import type { ServerResponse, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  Controller,
  Delete,
  Get,
  Head,
  Headers,
  HttpCode,
  Logger,
  NotFoundException,
  Put,
  Query,
  Req,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { resumed } from '../objects/content.js';
import { Listing } from '../objects/listing.js';
import { ObjectStore, type ObjectInfo } from '../objects/object-store.js';
import { ObjectErrorsFilter } from './object-errors.filter.js';
import { ObjectKey } from './object-key.js';
import { ReadyGuard } from './ready.guard.js';

/** The objects over HTTP. Any node serves any object. */
@Controller('objects')
@UseGuards(ReadyGuard)
@UseFilters(ObjectErrorsFilter)
export class ObjectsController {
  private readonly logger = new Logger(ObjectsController.name);

  constructor(
    private readonly store: ObjectStore,
    private readonly listing: Listing,
  ) {}

  /** The body is stored as it comes; a client that is cut off in the middle stored nothing. */
  @Put('*key')
  put(
    @ObjectKey() key: string,
    @Req() body: IncomingMessage,
    @Headers('content-type') type?: string,
  ): Promise<ObjectInfo> {
    return this.store.put(key, body, type);
  }

  @Head('*key')
  async head(@ObjectKey() key: string, @Res() response: ServerResponse): Promise<void> {
    const info = await this.store.head(key);
    if (!info) throw new NotFoundException();
    describe(response, info).end();
  }

  @Get('*key')
  async get(@ObjectKey() key: string, @Res() response: ServerResponse): Promise<void> {
    const found = await this.store.get(key);
    if (!found) throw new NotFoundException(`there is no object ${key}`);
    await this.send(response, found.content, () => describe(response, found.info));
  }

  @Delete('*key')
  @HttpCode(204)
  async delete(@ObjectKey() key: string): Promise<void> {
    if (!(await this.store.delete(key))) throw new NotFoundException(`there is no object ${key}`);
  }

  /** One JSON object per line. */
  @Get()
  async list(@Query('prefix') prefix: string | undefined, @Res() response: ServerResponse): Promise<void> {
    const lines = asLines(this.listing.list(prefix ?? ''));
    // the first step tells whether enough nodes answer: until then an error is still an ordinary HTTP answer
    const first = await lines.next();
    await this.send(response, resumed(first, lines), () => response.setHeader('content-type', 'application/x-ndjson'));
  }

  /** What fails after the first byte cuts the connection: an answer that is not whole must not look whole. */
  private async send(
    response: ServerResponse,
    content: AsyncIterable<Uint8Array | string>,
    head: () => void,
  ): Promise<void> {
    head();
    try {
      await pipeline(Readable.from(content), response);
    } catch (error) {
      this.logger.warn(`an answer was cut: ${(error as Error).message}`);
    }
  }
}

function describe(response: ServerResponse, { size, sha256, version, type }: ObjectInfo): ServerResponse {
  response.setHeader('content-type', type);
  response.setHeader('content-length', size);
  response.setHeader('etag', `"${sha256}"`);
  response.setHeader('x-version', version);
  return response;
}

async function* asLines(infos: AsyncIterable<ObjectInfo>): AsyncGenerator<string, void, undefined> {
  for await (const info of infos) yield `${JSON.stringify(info)}\n`;
}
