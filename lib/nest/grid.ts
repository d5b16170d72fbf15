import { throwError } from 'rxjs';
import type { OutgoingCall } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { DEFAULTS, GridManager, type GridOptions } from '../manager/index.js';
import { GridClient } from './grid-client.js';

/** What the application has said of how its grid starts. */
type Plan =
  /** Nothing yet: a provider is being made, or one of the app's hooks runs. */
  | 'open'
  /** With the app. */
  | 'connected'
  /** The app has started without it. */
  | 'missed';

/** The grid of a Nest app: `constructor(@InjectGrid() private readonly grid: Grid)`. */
export class Grid extends GridManager {
  private admit: (() => void) | undefined = undefined;
  private plan: Plan = 'open';

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
    this.plan = 'connected';
  }

  /** @internal The app has started, and nobody has said how the grid is connected. */
  missApp(): void {
    this.plan = 'missed';
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
    const text = `grid '${this.name}' is not connected: no peer is reached and no handler answers`;
    const several = 'for one grid only: to have several make it an HTTP app, which needs no routes';
    return `${text}. Add ${this.wayText()}, ${several}`;
  }

  protected override startAdvice(): string {
    if (this.plan === 'missed') return this.notConnectedText();
    const text = 'it starts after the onApplicationBootstrap hooks; do not await it in one of them';
    if (this.plan === 'connected') return text;
    return `${text}, nor where a provider is made. What starts it: ${this.wayText()}`;
  }

  /** Why a call fails that comes before the start. */
  private earlyText(): string {
    if (this.plan === 'missed') return this.notConnectedText();
    const text = 'The grid starts after all hooks of the app: call after app.listen()';
    return this.plan === 'connected' ? text : `${text}. What starts it: ${this.wayText()}`;
  }

  private wayText(): string {
    const alone = `gridMicroservice(${this.optionText()})`;
    return `'${this.connectText()}' before app.listen(); an app without HTTP has ${alone} in place of that`;
  }

  private optionText(): string {
    return this.name === DEFAULTS.name ? '' : `{ grid: '${this.name}' }`;
  }

  /** Until the app starts the grid calls fail at once, the first one loudly: it may be that connectGrid is missing. */
  private holdCalls(): () => void {
    let told = false;
    const fail = ({ peer, pattern }: OutgoingCall): GridError => {
      const text = `call of ${pattern} before the grid has started. ${this.earlyText()}`;
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
