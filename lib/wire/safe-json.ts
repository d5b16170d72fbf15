/**
 * JSON that a peer wrote. A key `__proto__` is left out: it would be harmless here, but not in the hands of code that
 * merges objects.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // only a key that is spelled out, or hidden behind an escape, is worth a second pass
  return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, withoutProto) : value;
}

function withoutProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}
