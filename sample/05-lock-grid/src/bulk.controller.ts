import { Controller } from '@nestjs/common';
import { bytes, defineRequest, GridRequest } from 'nestjs-grid';

export const StoreBlock = defineRequest<Uint8Array, void>({ id: 51, name: 'bulk.store', codec: bytes() });

@Controller()
export class BulkController {
  @GridRequest(StoreBlock)
  store(_block: Uint8Array): void {}
}
