import { throwError } from 'rxjs';
import { GridError } from '../errors/index.js';
import { DEFAULTS, GridManager, type GridOptions } from '../manager/index.js';
import { GridClient } from './grid-client.js';

/** The grid of a Nest app: `constructor(@InjectGrid() private readonly grid: Grid)`. */
export class Grid extends GridManager {
  private admit: (() => void) | undefined = undefined;

  constructor(options: GridOptions) {
    super(options);
    this.admit = this.holdCalls();
  }

  /** A `ClientProxy` for the host. @throws GridError for an origin that is not in the list. */
  client(peer: string): GridClient {
    this.peer(peer);
    return new GridClient({ grid: this, peer });
  }

  override close(): Promise<void> {
    this.admitCalls();
    return super.close();
  }

  /** @internal From now on calls are made. */
  admitCalls(): void {
    this.admit?.();
    this.admit = undefined;
  }

  /** @internal What an HTTP app says to start this grid. */
  connectText(): string {
    const option = this.optionText();
    return `await connectGrid(app${option && `, ${option}`})`;
  }

  /** @internal */
  notConnectedText(): string {
    return (
      `grid '${this.name}' is not connected: no peer is reached and no handler answers. Add ` +
      `'${this.connectText()}' before app.listen(). An app without HTTP has gridMicroservice(${this.optionText()}) ` +
      'in place of that, for one grid only: to have several make it an HTTP app, which needs no routes'
    );
  }

  private optionText(): string {
    return this.name === DEFAULTS.name ? '' : `{ grid: '${this.name}' }`;
  }

  /** Until the app starts the grid calls fail at once, the first one loudly: most likely connectGrid is missing. */
  private holdCalls(): () => void {
    let told = false;
    const fail = (pattern: string): GridError => {
      const text = `call of ${pattern} before the grid has started. ${this.notConnectedText()}`;
      if (!told) this.options.logger.error(text);
      told = true;
      return new GridError('UNAVAILABLE', text, { reason: 'not-connected', notSent: true, pattern });
    };
    return this.intercept({
      request: (call) => Promise.reject(fail(call.pattern)),
      send: (call) => throwError(() => fail(call.pattern)),
      stream: (call) => {
        throw fail(call.pattern);
      },
    });
  }
}
