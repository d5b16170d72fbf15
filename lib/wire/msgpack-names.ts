/** Places for names. A name has one of them, which it shares: the name that was read there last has it. */
const PLACES = 1024;

/** Bytes of a place, and one more than the longest name that is kept. */
const PLACE_BYTES = 32;

/**
 * The names of properties that were read lately, by their bytes. Most objects have the names of one before: to find a
 * text costs a third of making it, and the engine knows by it which property is meant. What peers send changes which
 * names are here, never how much memory they take.
 */
export class MsgpackNames<Bytes extends Uint8Array> {
  /** Names that were not here when they were asked for. */
  made = 0;

  private readonly texts = Array.from({ length: PLACES }, () => '');
  private readonly lengths = new Uint8Array(PLACES);
  private readonly bytes = new Uint8Array(PLACES * PLACE_BYTES);

  constructor(private readonly readText: (from: Bytes, start: number, length: number) => string) {}

  /** The text of these bytes, which are there. Throws what `readText` throws. */
  read(from: Bytes, start: number, length: number): string {
    if (length >= PLACE_BYTES) {
      this.made++;
      return this.readText(from, start, length);
    }
    const end = start + length;
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + from[i]!;
    const place = hash & (PLACES - 1);
    return this.find(place, from, start, length) ?? this.make(place, from, start, length);
  }

  private find(place: number, from: Bytes, start: number, length: number): string | undefined {
    if (this.lengths[place] !== length) return undefined;
    const { bytes } = this;
    const at = place * PLACE_BYTES;
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== from[start + i]) return undefined;
    }
    return this.texts[place];
  }

  private make(place: number, from: Bytes, start: number, length: number): string {
    const text = this.readText(from, start, length);
    this.made++;
    this.bytes.set(from.subarray(start, start + length), place * PLACE_BYTES);
    this.lengths[place] = length;
    this.texts[place] = text;
    return text;
  }
}
