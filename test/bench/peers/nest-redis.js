import { Transport } from '@nestjs/microservices';
import * as app from './nest-app.js';

const settings = ({ crowdPort }) => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port: crowdPort } });

/** Nest's Redis transport; the broker listens at the third port. */
export const api = {
  serve: (meeting) => app.serve(settings(meeting)),
  connect: (meeting) => app.connect(settings(meeting)),
};
