import type { ApiClient } from './api.js';
import type { Work } from './load.js';
import { rotatingPayloads } from './payloads.js';

/** Of the calls under load, one in this many is compared byte for byte. */
const CHECK_EVERY = 1024;

/** Rotating payloads there and back. Each one has been compared once before this resolves. */
export async function echoWork(
  client: Pick<ApiClient, 'echo'>,
  payloadBytes: number,
): Promise<Work<Uint8Array>> {
  const payloads = rotatingPayloads(payloadBytes);
  for (const payload of payloads) {
    if (Buffer.compare(payload, await client.echo(payload)) !== 0) throw new Error('an echo came back different');
  }
  return {
    call: (turn) => client.echo(payloads[turn % payloads.length]!),
    isRight: (turn, answer) =>
      turn % CHECK_EVERY !== 0 || Buffer.compare(payloads[turn % payloads.length]!, answer) === 0,
  };
}
