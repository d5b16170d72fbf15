import { BehaviorSubject, type Observable } from 'rxjs';
import { GridError } from '../errors/index.js';
import type { Link, LocalLink, PeerState, WaitOptions } from '../manager/index.js';
import type { Mux } from '../mux/index.js';

/** The way to a host that a test answers for: in memory, and away when the test says so. */
export class FakeLink implements Link {
  readonly status: Observable<PeerState>;
  private readonly current = new BehaviorSubject<PeerState>('connected');

  constructor(private readonly inner: LocalLink) {
    inner.start();
    this.status = this.current.asObservable();
  }

  get peer(): string {
    return this.inner.peer;
  }

  get state(): PeerState {
    return this.current.value;
  }

  set connected(connected: boolean) {
    this.current.next(connected ? 'connected' : 'disconnected');
  }

  line(): Mux {
    // closed: the inner one says so
    if (this.state !== 'disconnected') return this.inner.line();
    throw new GridError('UNAVAILABLE', 'not connected', { peer: this.peer, reason: 'not-connected', notSent: true });
  }

  /** Never waits: who plays the host is the test itself. */
  async waitForConnect(_options?: WaitOptions): Promise<void> {
    this.line();
  }

  async ping(): Promise<number> {
    this.line();
    return 0;
  }

  close(): void {
    this.inner.close();
    this.current.next('closed');
    this.current.complete();
  }
}
