import { fileURLToPath } from 'node:url';
import { Controller } from '@nestjs/common';
import { ClientProxyFactory, GrpcMethod, Transport } from '@nestjs/microservices';
import { firstValueFrom, map, range } from 'rxjs';
import { counted, itemPayload } from './items.js';
import { answer, serve } from './nest-app.js';

class GrpcController {
  echo({ payload }) {
    return { payload };
  }

  items({ count }) {
    return range(0, count).pipe(map((index) => ({ payload: itemPayload(index) })));
  }
}

Controller()(GrpcController);
answer(GrpcController, 'echo', GrpcMethod('Bench', 'Echo'));
answer(GrpcController, 'items', GrpcMethod('Bench', 'Items'));

const settings = ({ serverPort }) => ({
  transport: Transport.GRPC,
  options: {
    package: 'bench',
    protoPath: fileURLToPath(new URL('./bench.proto', import.meta.url)),
    url: `127.0.0.1:${serverPort}`,
  },
});

/** Nest's gRPC transport: bytes travel as they are. */
export const api = {
  serve: (meeting) => serve(settings(meeting), GrpcController),

  async connect(meeting) {
    const service = ClientProxyFactory.create(settings(meeting)).getService('Bench');
    return {
      echo: async (payload) => (await firstValueFrom(service.echo({ payload }))).payload,
      items: (count) => counted(service.items({ count })),
    };
  },
};
