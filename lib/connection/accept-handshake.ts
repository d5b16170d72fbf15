import { toGridError } from '../errors/index.js';
import {
  CloseCode,
  decodeConnectRequest,
  encodeConnectResponse,
  Op,
  violation,
  type Abilities,
  type ConnectRequest,
} from '../wire/index.js';
import type { Connection } from './connection.js';
import { abilitiesOf, dialectOf, Handshake, refusal } from './handshake.js';
import type { FrameSocket } from './message-socket.js';
import type { ConnectionPorts } from './ports.js';

/** Whether a dialer may connect. The reason says which check failed and with what values (wire spec §3). */
export type Admission = { readonly accepted: true } | { readonly accepted: false; readonly reason: string };

export interface AcceptFacts {
  /** This host's origin. */
  readonly local: string;
  /** Checks host, time, token and who dials. Rejects with UNAVAILABLE while nobody is let in, whoever it is. */
  admit(request: ConnectRequest): Promise<Admission>;
  /** Ends the handshake with its reason, if that is not over. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a connection of an open socket that the other end dialed: waits for its Connect, has it checked and answers,
 * all within `limits.handshakeMs`. Whatever goes wrong, the socket is closed.
 * @throws GridError: UNAUTHENTICATED or FAILED_PRECONDITION (refused by `admit`), INVALID_ARGUMENT (the first frame is
 * no Connect, or much came before the answer), UNAVAILABLE (too slow, the socket was closed, or nobody is let in),
 * INTERNAL (`admit` failed), that of `signal`.
 */
export async function acceptHandshake(
  socket: FrameSocket,
  facts: AcceptFacts,
  ports: ConnectionPorts,
): Promise<Connection> {
  const { local } = facts;

  const decide = async (request: ConnectRequest): Promise<void> => {
    const admission = await facts.admit(request);
    if (handshake.over) return;
    const answer = { id: ports.localId, ...answeredAbilities(ports, request) };
    if (admission.accepted) {
      const dialect = dialectOf(ports, local, request.host, request);
      // first the connection, then the answer: the dialer's calls may follow at once
      handshake.open({ remoteId: request.id, dialect }, () => {
        handshake.send(Op.ConnectResponse, encodeConnectResponse({ ...answer, accepted: true, rejectedReason: '' }));
      });
    } else {
      const rejectedReason = admission.reason;
      handshake.send(Op.ConnectResponse, encodeConnectResponse({ ...answer, accepted: false, rejectedReason }));
      handshake.fail(refusal(rejectedReason, false), CloseCode.Policy, 'refused');
    }
  };

  const handshake: Handshake = new Handshake(socket, ports, socket.remoteAddress, (message) => {
    if (message.op !== Op.Connect) throw violation(`op ${message.op} in place of Connect`);
    const request = decodeConnectRequest(message.payload);
    handshake.decide();
    decide(request).catch((fault: unknown) => {
      const error = toGridError(fault, 'INTERNAL');
      if (error.code === 'UNAVAILABLE') handshake.fail(error, CloseCode.Overloaded);
      else handshake.fail(error, CloseCode.Internal, 'the handshake failed');
    });
  });
  const { signal } = facts;
  const cancel = (): void => handshake.fail(toGridError(signal?.reason, 'CANCELLED'), CloseCode.Overloaded);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    if (signal?.aborted) cancel();
    socket.listen(handshake);
    return await handshake.outcome;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** `Ext` is answered only if the request had it, with those of its names that we can do (wire spec §11). */
function answeredAbilities(ports: ConnectionPorts, { ext: asked }: ConnectRequest): Abilities {
  const { ext, max } = abilitiesOf(ports);
  if (asked === undefined || ext === undefined) return {};
  return { ext: ext.filter((name) => asked.includes(name)), max };
}
