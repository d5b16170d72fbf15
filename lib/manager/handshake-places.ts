interface Place {
  readonly claimant: string;
  readonly part: string;
  readonly evict: () => void;
}

/**
 * Places for sockets that are on their way in, shared fairly: while all are taken, whoever asks gets the oldest place
 * of the claimant that has most of them, as long as it has fewer itself. Who opens sockets and says nothing only gets
 * in its own way. Parts of a claimant share its places in the same manner; however many there are, they do not add up
 * to more.
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
   * @param part What the claimant says of itself, where that is not proven.
   */
  take(claimant: string, evict: () => void, part = ''): (() => void) | undefined {
    if (this.count >= this.most && !this.makeRoom(claimant, part)) return undefined;
    const place: Place = { claimant, part, evict };
    const own = this.taken.get(claimant) ?? new Set();
    this.taken.set(claimant, own.add(place));
    this.count++;
    return () => this.free(place);
  }

  private makeRoom(claimant: string, part: string): boolean {
    if (!this.told) this.onFull();
    this.told = true;
    const [oldest] = this.givingWay(claimant, part);
    if (!oldest) return false;
    this.free(oldest);
    oldest.evict();
    return true;
  }

  /** Those of whom the oldest goes, for another claimant or for another part of the same one; none: nobody has more. */
  private givingWay(claimant: string, part: string): ReadonlySet<Place> {
    const own = this.taken.get(claimant) ?? new Set();
    const most = largest(this.taken);
    if (most.size > own.size + 1) return largest(partsOf(most));
    const parts = partsOf(own);
    const mostOfOwn = largest(parts);
    return mostOfOwn.size > (parts.get(part)?.size ?? 0) + 1 ? mostOfOwn : new Set();
  }

  private free(place: Place): void {
    const own = this.taken.get(place.claimant);
    if (!own?.delete(place)) return;
    if (own.size === 0) this.taken.delete(place.claimant);
    this.count--;
    if (2 * this.count <= this.most) this.told = false;
  }
}

/** By part, the oldest place first. */
function partsOf(places: ReadonlySet<Place>): Map<string, Set<Place>> {
  const parts = new Map<string, Set<Place>>();
  for (const place of places) parts.set(place.part, (parts.get(place.part) ?? new Set()).add(place));
  return parts;
}

function largest(groups: ReadonlyMap<string, Set<Place>>): Set<Place> {
  let most = new Set<Place>();
  for (const places of groups.values()) if (places.size > most.size) most = places;
  return most;
}
