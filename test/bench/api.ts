/** Of all hosts of a run, as PEM. It is signed by itself, so whoever dials takes it as its authority too. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Where all processes of a run listen. */
export const ADDRESS = '127.0.0.1';

/** Where the processes of a run meet. */
export interface Meeting {
  /** TCP port of the server process. */
  readonly serverPort: number;
  /** TCP port of the client process: a grid has an address on both ends. */
  readonly clientPort: number;
  /** TCP port of the third process, where the case has one, or of the broker. */
  readonly crowdPort: number;
  /** With it they meet over TLS. */
  readonly certificate?: Certificate;
}

/** One way of calling, measured by the same load as all others. */
export interface Api {
  /** Runs in the server process: resolves when it takes calls. */
  serve(meeting: Meeting): Promise<void>;
  /** Runs in the client process: resolves when calls can be made. */
  connect(meeting: Meeting): Promise<ApiClient>;
}

/** What every way of calling can do. */
export interface ApiClient {
  /** One call: resolves with bytes equal to the payload. */
  echo(payload: Uint8Array): Promise<Uint8Array>;
  /** One stream of `count` messages of 512 bytes each: resolves with the number of those that came. */
  items(count: number): Promise<number>;
  /** The same from an Observable and read as one, where `items` is otherwise. */
  observed?(count: number): Promise<number>;
}

/** Bytes of a stream's message. */
export const ITEM_BYTES = 512;
