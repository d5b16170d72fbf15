import { throwError } from 'rxjs';
import type { OutgoingCall } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { DEFAULTS, GridManager, type GridOptions } from '../manager/index.js';
import { GridClient } from './grid-client.js';

/** Why a call fails where the app is on its way to start the grid. */
const HOOKS_TEXT = 'The grid starts after all hooks of the app: call after app.listen()';

/** The grid of a Nest app: `constructor(@InjectGrid() private readonly grid: Grid)`. */
export class Grid extends GridManager {
  private admit: (() => void) | undefined = undefined;
  /** The app has said how it is connected: it starts with the app. */
  private awaitsApp = false;

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

  /** @internal The app starts it, when all of its hooks have run. */
  awaitApp(): void {
    this.awaitsApp = true;
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

  protected override startAdvice(): string {
    if (!this.awaitsApp) return this.notConnectedText();
    return 'it starts after the onApplicationBootstrap hooks; do not await it in one of them';
  }

  private optionText(): string {
    return this.name === DEFAULTS.name ? '' : `{ grid: '${this.name}' }`;
  }

  /** Until the app starts the grid calls fail at once, the first one loudly: it may be that connectGrid is missing. */
  private holdCalls(): () => void {
    let told = false;
    const fail = ({ peer, pattern }: OutgoingCall): GridError => {
      const why = this.awaitsApp ? HOOKS_TEXT : this.notConnectedText();
      const text = `call of ${pattern} before the grid has started. ${why}`;
      if (!told) this.options.logger.error(text);
      told = true;
      return new GridError('UNAVAILABLE', text, { reason: 'not-connected', notSent: true, peer, pattern });
    };
    return this.intercept({
      request: (call) => Promise.reject(fail(call)),
      send: (call) => throwError(() => fail(call)),
      stream: (call) => {
        throw fail(call);
      },
    });
  }
}
