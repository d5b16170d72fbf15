import { GridError, toGridError } from '../errors/index.js';
import { AwakeTimer, type Timer } from '../time/index.js';
import {
  activeExtensions,
  CloseCode,
  closeCodeOf,
  CONNECTION_MUX_ID,
  decodeLone,
  encodeMessage,
  Flag,
  maxEncodedSize,
  Op,
  violation,
  type Abilities,
  type Dialect,
  type Frame,
  type Message,
} from '../wire/index.js';
import { Connection, type ConnectionFacts } from './connection.js';
import type { FrameListener, FrameSocket } from './message-socket.js';
import { isSecure } from './origin.js';
import { ownMax } from './own-max.js';
import { patienceWith } from './patience.js';
import type { ConnectionPorts } from './ports.js';

type Phase =
  /** The next frame must be the one message that this end waits for. */
  | { readonly name: 'waiting'; readonly handle: (message: Message) => void }
  /** The acceptor makes up its mind; what a hasty dialer sends meanwhile waits. */
  | { readonly name: 'deciding'; readonly early: Frame[]; bytes: number }
  | { readonly name: 'open'; readonly connection: Connection }
  | { readonly name: 'failed'; readonly patience: Timer | undefined };

/** So many bytes of a dialer that does not wait for the answer are kept: nobody knows yet who it is. */
const EARLY_BYTES = 64 * 1024;
/** Connect and its answer take some hundred bytes; more than this is not even looked at. */
const HANDSHAKE_BYTES = 64 * 1024;
/** What keeping a frame costs beside its bytes. */
const EARLY_FRAME_BYTES = 64;

/**
 * What both ends of a handshake share (wire spec §3): one message to wait for, one budget of time, one outcome. It
 * reads the socket until the connection is made and hands on to it everything that follows, in the same turn: no frame
 * is lost.
 */
export class Handshake implements FrameListener {
  /** Rejects with a GridError; the socket is being closed then. */
  readonly outcome: Promise<Connection>;
  private phase: Phase;
  private readonly budget: Timer;
  private settle!: { resolve: (connection: Connection) => void; reject: (error: GridError) => void };

  constructor(
    private readonly socket: FrameSocket,
    private readonly ports: ConnectionPorts,
    /** For errors: the other end's origin or address. */
    private readonly peer: string | undefined,
    handle: (message: Message) => void,
  ) {
    this.outcome = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.phase = { name: 'waiting', handle };
    const { handshakeMs } = ports.limits;
    this.budget = new AwakeTimer(ports.clock, handshakeMs, () => {
      this.fail(unconnected(`no handshake within ${handshakeMs} ms (limits.handshakeMs)`), CloseCode.Policy);
    });
  }

  get over(): boolean {
    return this.phase.name === 'open' || this.phase.name === 'failed';
  }

  /** Frames wait from now on until `open` or `fail`. */
  decide(): void {
    this.enter({ name: 'deciding', early: [], bytes: 0 });
  }

  /** Makes the connection, says so by `answer`, and hands the frames that came early on to it. */
  open(facts: ConnectionFacts, answer?: () => void): void {
    const { phase } = this;
    const connection = new Connection(this.socket, facts, this.ports);
    this.enter({ name: 'open', connection });
    this.settle.resolve(connection);
    answer?.();
    if (phase.name === 'deciding') for (const frame of phase.early) connection.onFrame(frame);
  }

  fail(error: GridError, closeCode: number, reason = error.message): void {
    if (this.over) return;
    this.enter({ name: 'failed', patience: patienceWith(this.socket, this.ports.clock) });
    this.socket.close(closeCode, reason);
    this.settle.reject(this.peer === undefined ? error : error.with({ peer: this.peer }));
  }

  /** Writes one of the two messages of the handshake: they carry no flags. */
  send(op: Op, payload: Uint8Array): void {
    const message = { muxId: CONNECTION_MUX_ID, seq: 0, deadlineMs: 0, handler: 0, op, flags: 0, payload };
    const room = new Uint8Array(maxEncodedSize(message));
    const frame = room.subarray(0, encodeMessage(message, room, 0));
    this.ports.observer.frameSent(frame.length);
    this.socket.send(frame, (error) => {
      if (error) this.fail(unconnected(`writing failed: ${error.message}`), CloseCode.Protocol);
    });
  }

  onFrame(frame: Frame): void {
    const { phase, ports } = this;
    if (phase.name === 'open') {
      phase.connection.onFrame(frame);
      return;
    }
    if (phase.name === 'failed') return;
    if (phase.name === 'deciding') {
      phase.early.push(frame);
      phase.bytes += frame.length + EARLY_FRAME_BYTES;
      if (phase.bytes > EARLY_BYTES) this.fail(violation('too much before the answer to Connect'), CloseCode.Protocol);
      return;
    }
    ports.observer.frameReceived(frame.length);
    try {
      if (frame.length > HANDSHAKE_BYTES) throw tooLarge(frame.length);
      const { messageBytes, frameMessages } = ports.limits;
      phase.handle(decodeLone(frame, { extensions: new Set(), messageBytes, frameMessages }));
    } catch (fault) {
      const error = toGridError(fault, 'INTERNAL');
      this.fail(error, error.reason === undefined ? CloseCode.Internal : closeCodeOf(error));
    }
  }

  onViolation(code: number, reason: string): void {
    if (this.phase.name === 'open') this.phase.connection.onViolation(code, reason);
    else this.fail(violation(reason), code);
  }

  onClose(code: number, reason: string): void {
    if (this.phase.name === 'open') {
      this.phase.connection.onClose(code, reason);
      return;
    }
    const text = `the socket was closed during the handshake: ${reason === '' ? code : `${code} ${reason}`}`;
    this.fail(unconnected(text), CloseCode.Normal);
    this.enter({ name: 'failed', patience: undefined });
  }

  private enter(next: Phase): void {
    if (next.name === 'open' || next.name === 'failed') this.budget.cancel();
    if (this.phase.name === 'failed') this.phase.patience?.cancel();
    this.phase = next;
  }
}

/** What this end says of itself: nothing at all if it knows no extension, so that the bytes are those of v1. */
export function abilitiesOf({ extensions, limits }: ConnectionPorts): Abilities {
  if (extensions.length === 0) return {};
  return { ext: extensions, max: ownMax(limits) };
}

/** What both ends have agreed on, known the peer's abilities. `local` and `peer` are origins. */
export function dialectOf(ports: ConnectionPorts, local: string, peer: string, theirs: Abilities): Dialect {
  const crc = ports.crc === 'auto' ? !(isSecure(local) && isSecure(peer)) : ports.crc;
  return {
    baseFlags: crc ? Flag.Crc : 0,
    extensions: activeExtensions(ports.extensions, theirs.ext),
    peerMaxBytes: theirs.max ?? Infinity,
  };
}

/** A host's name in a text: what it is called says nothing about the refusal. */
const NAMES = /\b(?:https?|wss?):\/\/\S+/gi;

/** The error of a refusal. Its text is free (wire spec §3), so only what it speaks of can tell the code. */
export function refusal(reason: string, remote: boolean): GridError {
  const code = /token|auth|signature/i.test(reason.replaceAll(NAMES, '')) ? 'UNAUTHENTICATED' : 'FAILED_PRECONDITION';
  return new GridError(code, reason === '' ? 'refused without a reason' : reason, { remote });
}

function tooLarge(bytes: number): GridError {
  return new GridError('OUT_OF_RANGE', `a frame of ${bytes} bytes in the handshake`, { reason: 'limit' });
}

function unconnected(text: string): GridError {
  return new GridError('UNAVAILABLE', text, { reason: 'not-connected', notSent: true });
}
