import type { GridCode, GridReason } from './code.js';
import { framelessError, type GridError } from './grid-error.js';

/** The protocol's own texts (wire spec §5, §6, §9, §12). A peer without the `error` extension tells codes by them. */
export const TEXT = Object.freeze({
  disconnected: 'remote disconnected',
  terminated: 'remote terminated call',
  deadline: 'context deadline exceeded',
  cancelled: 'context canceled',
  handlerBlocked: 'handler blocked',
  noInput: 'did not expect inbound message',
  responseBlocked: 'response blocked',
  outOfSequence: 'out-of-sequence item received',
  streamsOnly: 'streams: call stream()',
  stateless: 'Stateless streams not supported',
  draining: 'draining',
  invalidHandler: 'Invalid Handler',
});

/** Why a call of the peer is refused, or its answer: not the protocol's, for people only. */
export const CONGESTED = 'too many bytes wait to be written to the caller (limits.queuedBytes)';

/** Details of the refusal of a stream by a handler that gives single answers only: its text cannot say so (spec §5). */
export const REQUESTS_ONLY = Object.freeze({ only: 'request' });

/** The same of the handlers of an event. */
export const EVENTS_ONLY = Object.freeze({ only: 'event' });

/** "receive sequence number mismatch. want W, got G" (spec §6). */
export function sequenceMismatch(want: number, got: number): string {
  return `receive sequence number mismatch. want ${want}, got ${got}`;
}

/** What a peer says of an error beside its text: it decides, and the text tells no more than the finer cause. */
export interface ErrorWords {
  readonly code: GridCode;
  readonly details: unknown;
}

/** The error that a refusal (MuxConnectError) stands for: the handler never ran (spec §5, §12). */
export function refusalOfText(text: string, words?: ErrorWords): GridError {
  const reason = text === TEXT.draining ? 'draining' : undefined;
  return remoteError(text, codeOfRefusal(text), reason, true, words);
}

/** The error that the text of an error answer or of an error end stands for (spec §12). */
export function failureOfText(text: string, words?: ErrorWords): GridError {
  const code = codeOfFailure(text);
  return remoteError(text, code, code === 'UNAVAILABLE' ? 'disconnected' : undefined, false, words);
}

function remoteError(
  text: string,
  byText: GridCode,
  cause: GridReason | undefined,
  notSent: boolean,
  words: ErrorWords | undefined,
): GridError {
  const code = words === undefined ? byText : words.code;
  const reason = code === byText ? cause : undefined;
  return framelessError(code, text, { remote: true, notSent, reason, details: words?.details });
}

function codeOfRefusal(text: string): GridCode {
  if (text.startsWith(TEXT.invalidHandler)) return 'UNIMPLEMENTED';
  return text === TEXT.draining ? 'UNAVAILABLE' : 'FAILED_PRECONDITION';
}

function codeOfFailure(text: string): GridCode {
  switch (text) {
    case TEXT.handlerBlocked:
    case TEXT.noInput:
    case TEXT.streamsOnly:
      return 'FAILED_PRECONDITION';
    case TEXT.outOfSequence:
      return 'DATA_LOSS';
    case TEXT.responseBlocked:
      return 'RESOURCE_EXHAUSTED';
    case TEXT.terminated:
    case TEXT.disconnected:
      return 'UNAVAILABLE';
    case TEXT.deadline:
      return 'DEADLINE_EXCEEDED';
    case TEXT.cancelled:
      return 'CANCELLED';
    default:
      return text.startsWith('receive sequence number mismatch') ? 'DATA_LOSS' : 'UNKNOWN';
  }
}
