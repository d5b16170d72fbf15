/** One WebSocket frame among recorded bytes. Offsets count from the first byte of the connection. */
export interface Frame {
  readonly start: number;
  readonly payloadStart: number;
  readonly end: number;
  /** Unmasked. */
  readonly payload: Buffer;
}

const END_OF_HEAD = '\r\n\r\n';
const BINARY = 0x82;

/** The frames that follow the HTTP head of recorded bytes of one way; an incomplete last one is left out. */
export function framesOf(bytes: Buffer): Frame[] {
  const head = bytes.indexOf(END_OF_HEAD);
  if (head < 0) throw new Error('there is no HTTP head');
  const frames: Frame[] = [];
  let start = head + END_OF_HEAD.length;
  while (start + 2 <= bytes.length) {
    if (bytes[start] !== BINARY) throw new Error(`byte ${start} begins no binary frame`);
    const masked = (bytes[start + 1]! & 0x80) !== 0;
    const short = bytes[start + 1]! & 0x7f;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(start + 2)
          : Number(bytes.readBigUInt64BE(start + 2));
    const maskStart = start + 2 + (short < 126 ? 0 : short === 126 ? 2 : 8);
    const payloadStart = maskStart + (masked ? 4 : 0);
    const end = payloadStart + length;
    if (end > bytes.length) break;
    const payload = Buffer.from(bytes.subarray(payloadStart, end));
    if (masked) for (let i = 0; i < length; i++) payload[i]! ^= bytes[maskStart + (i % 4)]!;
    frames.push({ start, payloadStart, end, payload });
    start = end;
  }
  return frames;
}
