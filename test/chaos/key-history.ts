import type { Begun, Content, DeleteOperation, PutOperation } from './operation.js';

type BegunPut = Extract<Begun, { kind: 'put' }>;
type BegunDelete = Extract<Begun, { kind: 'delete' }>;

const LOST = 'an acknowledged write is lost: an older content was read';

interface Stored {
  readonly put: PutOperation;
  /** The one with the greatest version. */
  readonly newest: PutOperation;
  /** The one that began last. */
  readonly latest: PutOperation;
}

/** What a client may see of one key. All rules that two operations obey whatever else happens. */
export class KeyHistory {
  /** By SHA-256: every content that was ever sent. */
  private readonly sent = new Map<string, { readonly begun: BegunPut; over?: PutOperation }>();
  /** Acknowledged writes in the order in which they ended, and of all up to and with each one two that stand out. */
  private readonly stored: Stored[] = [];
  private readonly deletes: (BegunDelete & { over?: DeleteOperation })[] = [];

  /** @param wanderMs An operation without an answer may come into effect until so long after its client gave up. */
  constructor(private readonly wanderMs: number) {}

  began(begun: BegunPut | BegunDelete): void {
    if (begun.kind === 'put') this.sent.set(begun.sha256, { begun });
    else this.deletes.push({ ...begun });
  }

  /** What is wrong with an acknowledged write, if anything is. */
  put(put: PutOperation): unknown[] | undefined {
    if (put.outcome !== 'ok' || !put.stored) return undefined;
    const before = this.newestBefore(put.start);
    const last = this.stored.at(-1);
    this.stored.push({
      put,
      newest: last && versionOf(last.newest) > versionOf(put) ? last.newest : put,
      latest: last && last.latest.start > put.start ? last.latest : put,
    });
    const sent = this.sent.get(put.sha256);
    if (sent) sent.over = put;
    if (put.stored.sha256 !== put.sha256) return [put];
    if (before && versionOf(before) >= put.stored.version) return [before, put];
    return undefined;
  }

  delete(over: DeleteOperation): void {
    const begun = this.deletes.find(({ id }) => id === over.id);
    if (begun) begun.over = over;
  }

  /** What is wrong with a content that was seen between the two times. */
  found(content: Content, start: number, end: number): { promise: string; piece: unknown[] } | undefined {
    const origin = this.sent.get(content.sha256);
    if (!origin || origin.begun.size !== content.size || origin.begun.start > end) {
      return { promise: 'a content that nobody wrote was read', piece: [] };
    }
    const before = this.newestBefore(start);
    if (before && versionOf(before) > content.version) {
      return { promise: LOST, piece: [before, origin.over ?? origin.begun] };
    }
    const put = origin.over;
    const gone =
      put &&
      this.deletes.find((one) => one.over?.outcome === 'ok' && put.end < one.start && one.over.end < start);
    if (gone) return { promise: 'a deleted content came back', piece: [put, gone.over] };
    return undefined;
  }

  /** What is wrong with there being nothing between the two times. */
  absent(start: number, end: number): unknown[] | undefined {
    // what may have deleted the one that began last may have deleted each
    const put = this.stored[this.endedBefore(start) - 1]?.latest;
    return put && !this.deletes.some((one) => this.mayFollow(one, put, end)) ? [put] : undefined;
  }

  private mayFollow(one: KeyHistory['deletes'][number], put: PutOperation, end: number): boolean {
    if (one.start > end || one.over?.outcome === 'absent') return false;
    if (!one.over) return true;
    return one.over.end + (one.over.outcome === 'ok' ? 0 : this.wanderMs) > put.start;
  }

  private newestBefore(time: number): PutOperation | undefined {
    return this.stored[this.endedBefore(time) - 1]?.newest;
  }

  /** How many acknowledged writes ended before. */
  private endedBefore(time: number): number {
    let low = 0;
    let high = this.stored.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.stored[middle]!.put.end < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function versionOf(put: PutOperation): string {
  return put.stored?.version ?? '';
}
