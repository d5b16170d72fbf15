import { KeyHistory } from './key-history.js';
import type { Begun, Content, ListOperation, Operation } from './operation.js';
import type { Violation } from './violation.js';

const WRONG_ANSWER = 'a write was acknowledged with a wrong checksum or version';

export interface HistoryLimits {
  /** How much later than its time limit an operation may end, in milliseconds. */
  readonly lateMs: number;
  /** How long after its end an operation without an answer may still come into effect. */
  readonly wanderMs: number;
}

/**
 * Looks at what clients saw, operation by operation as they end: each acknowledged write is there for whoever asks
 * after it, until it was overwritten or deleted; what is read was written, as a whole; a listing that ended well is
 * complete; each operation ends once and in time.
 */
export class HistoryChecker {
  readonly violations: Violation[] = [];
  private readonly keys = new Map<string, KeyHistory>();
  private readonly open = new Map<number, Begun>();
  private readonly ended = new Set<number>();

  constructor(private readonly limits: HistoryLimits) {}

  /** Before it is asked, so that nobody can see its effect first. */
  began(operation: Begun): void {
    this.open.set(operation.id, operation);
    if (operation.kind === 'put' || operation.kind === 'delete') this.key(operation.key).began(operation);
  }

  /** In the order of their ends. */
  end(operation: Operation): void {
    if (!this.open.delete(operation.id)) {
      const promise = this.ended.has(operation.id) ? 'a call ended twice' : 'a call ended that never began';
      this.violations.push({ promise, piece: [operation] });
      return;
    }
    this.ended.add(operation.id);
    if (operation.end - operation.start > operation.withinMs + this.limits.lateMs) {
      this.violations.push({ promise: 'a call ended later than its time limit', piece: [operation] });
    }
    this.look(operation);
  }

  /** At the end of the run: nothing is open any more. */
  finish(): void {
    for (const operation of this.open.values()) {
      this.violations.push({ promise: 'a call never ended', piece: [operation] });
    }
  }

  private look(operation: Operation): void {
    switch (operation.kind) {
      case 'put': {
        const piece = this.key(operation.key).put(operation);
        if (piece) this.violations.push({ promise: WRONG_ANSWER, piece });
        break;
      }
      case 'delete':
        this.key(operation.key).delete(operation);
        if (operation.outcome === 'absent') this.lookAbsent(operation.key, operation);
        break;
      case 'get':
        if (operation.outcome === 'absent') this.lookAbsent(operation.key, operation);
        if (operation.found) this.lookFound(operation.key, operation.found, operation);
        break;
      case 'list':
        if (operation.entries) this.lookListed(operation.prefix, operation.entries, operation);
        break;
      case 'lock':
        break;
    }
  }

  private lookFound(key: string, found: Content, operation: Operation): void {
    const wrong = this.key(key).found(found, operation.start, operation.end);
    if (!wrong) return;
    const { promise, piece } = wrong;
    this.violations.push({ promise, piece: [...piece, { key, found, by: brief(operation) }] });
  }

  private lookAbsent(key: string, operation: Operation, promise = 'an acknowledged write is lost'): void {
    const piece = this.key(key).absent(operation.start, operation.end);
    if (piece) this.violations.push({ promise, piece: [...piece, { key, by: brief(operation) }] });
  }

  private lookListed(prefix: string, entries: NonNullable<ListOperation['entries']>, operation: Operation): void {
    const seen = new Set<string>();
    for (const entry of entries) {
      if (seen.has(entry.key)) {
        this.violations.push({ promise: 'a listing has a key twice', piece: [entry, brief(operation)] });
      }
      seen.add(entry.key);
      this.lookFound(entry.key, entry, operation);
    }
    for (const key of this.keys.keys()) {
      if (key.startsWith(prefix) && !seen.has(key)) {
        this.lookAbsent(key, operation, 'a listing that ended well is not complete');
      }
    }
  }

  private key(key: string): KeyHistory {
    let history = this.keys.get(key);
    if (!history) this.keys.set(key, (history = new KeyHistory(this.limits.wanderMs)));
    return history;
  }
}

/** Without its entries, of which there can be hundreds. */
function brief(operation: Operation): unknown {
  return operation.kind === 'list' ? { ...operation, entries: operation.entries?.length } : operation;
}
