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

/** The error that a refusal (MuxConnectError) stands for: the handler never ran (spec §5, §12). */
export function refusalOfText(text: string): GridError {
  let code: GridCode = 'FAILED_PRECONDITION';
  let reason: GridReason | undefined;
  if (text.startsWith(TEXT.invalidHandler)) code = 'UNIMPLEMENTED';
  else if (text === TEXT.draining) {
    code = 'UNAVAILABLE';
    reason = 'draining';
  }
  return framelessError(code, text, { remote: true, notSent: true, reason });
}

/** The error that the text of an error answer or of an error end stands for (spec §12). */
export function failureOfText(text: string): GridError {
  const code = codeOfFailure(text);
  const reason = code === 'UNAVAILABLE' ? 'disconnected' : undefined;
  return framelessError(code, text, { remote: true, reason });
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
