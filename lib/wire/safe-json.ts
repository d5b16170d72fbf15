/**
 * JSON that a peer wrote. A key `__proto__` is left out: it would be harmless here, but not in the hands of code that
 * merges objects.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // only a key that is spelled out, or hidden behind an escape, is worth a second look
  if (text.includes('__proto__') || text.includes('\\u')) dropProto(value);
  return value;
}

/** No reviver: to ask one for each value takes ten times as long as to read it, and a deep one overflows the stack. */
function dropProto(root: unknown): void {
  const found = isObject(root) ? [root] : [];
  for (let object = found.pop(); object !== undefined; object = found.pop()) {
    if (Object.hasOwn(object, '__proto__')) Reflect.deleteProperty(object, '__proto__');
    const values: unknown[] = Array.isArray(object) ? object : Object.values(object);
    for (const value of values) if (isObject(value)) found.push(value);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
