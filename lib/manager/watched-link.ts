import type { Observable } from 'rxjs';
import { GridError } from '../errors/index.js';
import type { Link } from './link.js';
import type { PeerState, WaitOptions } from './peer-state.js';
import type { StartWatch } from './start-watch.js';

/**
 * A link as the application sees it. A start that waits for a connection in one of its own steps would wait for ever,
 * and nothing would say so.
 */
export class WatchedLink implements Link {
  constructor(
    private readonly link: Link,
    private readonly watch: StartWatch,
  ) {}

  get peer(): string {
    return this.link.peer;
  }

  get state(): PeerState {
    return this.link.state;
  }

  get status(): Observable<PeerState> {
    return this.link.status;
  }

  line(): ReturnType<Link['line']> {
    return this.link.line();
  }

  async waitForConnect(options?: WaitOptions): Promise<void> {
    if (this.watch.started) return await this.link.waitForConnect(options);
    const end = this.watch.begin();
    try {
      await this.link.waitForConnect(options);
    } catch (error) {
      if (this.watch.started || !GridError.is(error) || error.code !== 'DEADLINE_EXCEEDED') throw error;
      throw error.with({ message: `${error.message}: ${this.watch.text}` });
    } finally {
      end();
    }
  }

  ping(): Promise<number> {
    return this.link.ping();
  }
}
