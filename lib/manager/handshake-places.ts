interface Place {
  readonly claimant: string;
  readonly evict: () => void;
}

/**
 * Places for sockets that are on their way in, shared fairly: while all are taken, whoever asks gets the oldest place
 * of the claimant that has most of them, as long as it has fewer itself. Who opens sockets and says nothing only gets
 * in its own way.
 */
export class HandshakePlaces {
  private readonly taken = new Map<string, Set<Place>>();
  private count = 0;
  private told = false;

  /** `onFull`: all are taken. Told again only after half of them were free. */
  constructor(
    private readonly most: number,
    private readonly onFull: () => void,
  ) {}

  /**
   * A place for the claimant, and the function that gives it back; undefined: none is to be had.
   * @param evict The place went to somebody else. It need not be given back then.
   */
  take(claimant: string, evict: () => void): (() => void) | undefined {
    if (this.count >= this.most && !this.makeRoom(claimant)) return undefined;
    const place: Place = { claimant, evict };
    const own = this.taken.get(claimant) ?? new Set();
    this.taken.set(claimant, own.add(place));
    this.count++;
    return () => this.free(place);
  }

  private makeRoom(claimant: string): boolean {
    if (!this.told) this.onFull();
    this.told = true;
    let most = new Set<Place>();
    for (const places of this.taken.values()) if (places.size > most.size) most = places;
    const [oldest] = most;
    if (!oldest || most.size <= (this.taken.get(claimant)?.size ?? 0) + 1) return false;
    this.free(oldest);
    oldest.evict();
    return true;
  }

  private free(place: Place): void {
    const own = this.taken.get(place.claimant);
    if (!own?.delete(place)) return;
    if (own.size === 0) this.taken.delete(place.claimant);
    this.count--;
    if (2 * this.count <= this.most) this.told = false;
  }
}
