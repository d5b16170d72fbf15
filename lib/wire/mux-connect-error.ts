import { bodyReader, readBody } from './body.js';
import { maxStrBytes, putMapHeader, putStr } from './msgpack-writer.js';

/** MuxConnectErrorBody: why a call was refused before its handler ran (wire spec §2). */
export function encodeMuxConnectError(text: string): Uint8Array {
  const target = new Uint8Array(8 + maxStrBytes(text));
  return target.subarray(0, putStr(target, putStr(target, putMapHeader(target, 0, 1), 'Error'), text));
}

/** The text; empty where the body has none. Throws a violation for bytes that are no such body. */
export function decodeMuxConnectError(payload: Uint8Array | undefined): string {
  const reader = bodyReader(payload);
  let text = '';
  readBody(reader, (key) => {
    if (key === 'Error') text = reader.text(key);
    return key === 'Error';
  });
  reader.finish('MuxConnectErrorBody');
  return text;
}
