// Reads of a frame no more than an attacker wants to know: raw-codec.ts judges every byte, which takes longer than the
// victim took to make them.
import { op } from '../conformance/raw-codec.js';

const WIDTHS: Readonly<Record<number, number>> = { 0xcc: 2, 0xcd: 3, 0xce: 5, 0xcf: 9 };

const uintWidth = (tag: number): number => WIDTHS[tag] ?? 1;

/** Where the op of the message stands that starts there. */
function opAt(bytes: Buffer, start: number): number {
  // behind the array's tag: muxId, seq, deadlineMs, handler
  let at = start + 1;
  for (let field = 0; field < 4; field++) at += uintWidth(bytes[at]!);
  return at;
}

/** The length of a bin's head, and of its bytes. */
function binAt(bytes: Buffer, at: number): [number, number] {
  const tag = bytes[at]!;
  if (tag === 0xc4) return [2, bytes[at + 1]!];
  return tag === 0xc5 ? [3, bytes.readUInt16BE(at + 1)] : [5, bytes.readUInt32BE(at + 1)];
}

/** Each message of the frame: its op and its bytes. */
export function eachMessage(frame: Buffer, tell: (op: number, bytes: Buffer) => void): void {
  const first = opAt(frame, 0);
  if (frame[first] !== op.Merged) {
    tell(frame[first]!, frame);
    return;
  }
  // behind its flags and its empty payload
  let at = first + 1;
  at += uintWidth(frame[at]!);
  at += binAt(frame, at)[0];
  while (at < frame.length) {
    const [head, length] = binAt(frame, at);
    at += head;
    tell(frame[opAt(frame, at)]!, frame.subarray(at, at + length));
    at += length;
  }
}
