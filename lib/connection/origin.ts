/** True iff a connection between hosts of such names is encrypted (wire spec §2: no CRC between two of them). */
export function isSecure(origin: string): boolean {
  return origin.startsWith('https://') || origin.startsWith('wss://');
}
