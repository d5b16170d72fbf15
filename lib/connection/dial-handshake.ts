import { toGridError } from '../errors/index.js';
import { CloseCode, decodeConnectResponse, encodeConnectRequest, Op, violation, wireTimeOf } from '../wire/index.js';
import type { Connection } from './connection.js';
import { abilitiesOf, dialectOf, Handshake, refusal } from './handshake.js';
import type { FrameSocket } from './message-socket.js';
import type { ConnectionPorts } from './ports.js';

export interface DialFacts {
  /** This host's origin. */
  readonly local: string;
  /** The origin that was dialed. */
  readonly remote: string;
  /** Proves who we are, made for this dial. */
  readonly token: string;
  readonly signal?: AbortSignal;
}

/**
 * Makes a connection of an open socket that this end dialed: sends Connect and waits for the answer, at most
 * `limits.handshakeMs`. Whatever goes wrong, the socket is closed.
 * @throws GridError: UNAUTHENTICATED or FAILED_PRECONDITION with `remote` (refused; the message is the peer's reason),
 * UNAVAILABLE (no answer in time, or the socket was closed), INVALID_ARGUMENT (an answer that breaks the protocol),
 * CANCELLED (by the signal).
 */
export async function dialHandshake(
  socket: FrameSocket,
  facts: DialFacts,
  ports: ConnectionPorts,
): Promise<Connection> {
  const { local, remote, token, signal } = facts;
  const handshake = new Handshake(socket, ports, remote, (message) => {
    if (message.op !== Op.ConnectResponse) throw violation(`op ${message.op} in place of ConnectResponse`);
    const answer = decodeConnectResponse(message.payload);
    if (answer.accepted) {
      const dialect = dialectOf(ports, local, remote, answer);
      handshake.open({ remoteId: answer.id, dialect });
    } else {
      handshake.fail(refusal(answer.rejectedReason, true), CloseCode.Normal, 'refused');
    }
  });
  const cancel = (): void =>
    handshake.fail(toGridError(signal?.reason, 'CANCELLED'), CloseCode.GoingAway, 'dial cancelled');
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    if (signal?.aborted) cancel();
    socket.listen(handshake);
    if (!handshake.over) {
      const time = wireTimeOf(ports.clock.date());
      handshake.send(
        Op.Connect,
        encodeConnectRequest({ id: ports.localId, host: local, time, token, ...abilitiesOf(ports) }),
      );
    }
    return await handshake.outcome;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
