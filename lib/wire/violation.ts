import { GridError } from '../errors/index.js';
import { CloseCode } from './close-code.js';

/** The peer sent bytes that the protocol does not allow. They end the connection (wire spec §2). */
export function violation(text: string): GridError {
  return new GridError('INVALID_ARGUMENT', text, { reason: 'protocol' });
}

/** The bytes are not those that the peer sent, or it counts its CRC wrongly: nothing in them can be trusted. */
export function crcMismatch(): GridError {
  return new GridError('DATA_LOSS', 'CRC mismatch', { reason: 'protocol' });
}

/** A Merged of more messages than `limits.frameMessages`. */
export function tooManyMessages(count: number, cap: number): GridError {
  return new GridError('INVALID_ARGUMENT', `a frame of ${count} messages, limits.frameMessages is ${cap}`, {
    reason: 'limit',
  });
}

/** A payload larger than `limits.messageBytes`: the one fault that WebSocket has its own close code for. */
export function tooManyBytes(bytes: number, cap: number): GridError {
  return new GridError('OUT_OF_RANGE', `a payload of ${bytes} bytes, limits.messageBytes is ${cap}`, {
    reason: 'limit',
  });
}

/** The WebSocket close code for an error that `decodeFrame` or a body's decoder threw. */
export function closeCodeOf(error: GridError): number {
  return error.code === 'OUT_OF_RANGE' ? CloseCode.TooBig : CloseCode.Protocol;
}
