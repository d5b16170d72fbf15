/** What the cluster has acknowledged, and must therefore have. */
export class Ledger {
  private readonly objects = new Map<string, { readonly size: number; readonly sha256: string }>();
  private readonly gone = new Set<string>();

  stored(key: string, size: number, sha256: string): void {
    this.objects.set(key, { size, sha256 });
    this.gone.delete(key);
  }

  deleted(key: string): void {
    this.objects.delete(key);
    this.gone.add(key);
  }

  get size(): number {
    return this.objects.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const { size } of this.objects.values()) sum += size;
    return sum;
  }

  get keys(): string[] {
    return [...this.objects.keys()];
  }

  get deletedKeys(): string[] {
    return [...this.gone];
  }

  /** Throws unless this is what was acknowledged for the key. */
  check(key: string, found: { size: number; sha256: string } | undefined): void {
    const wanted = this.objects.get(key);
    if (!wanted) throw new Error(`${key} should not be there`);
    if (!found) throw new Error(`${key} is lost`);
    if (found.size !== wanted.size || found.sha256 !== wanted.sha256) {
      throw new Error(
        `${key} has ${found.size} bytes, SHA-256 ${found.sha256}; stored were ${wanted.size} bytes, ${wanted.sha256}`,
      );
    }
  }

  /** Throws unless exactly what was acknowledged is listed. */
  checkAll(found: Iterable<{ key: string; size: number; sha256: string }>): void {
    const seen = new Set<string>();
    for (const object of found) {
      this.check(object.key, object);
      if (seen.has(object.key)) throw new Error(`${object.key} is there twice`);
      seen.add(object.key);
    }
    const missing = this.keys.filter((key) => !seen.has(key));
    if (missing.length > 0) throw new Error(`${missing.length} objects are missing, ${missing[0]} is the first`);
  }
}
