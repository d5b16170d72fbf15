/** Where the two processes of a run meet. */
export interface Meeting {
  /** TCP port of the server process. */
  readonly serverPort: number;
  /** TCP port of the client process: a grid has an address on both ends. */
  readonly clientPort: number;
}

/** One way of calling, measured by the same load as all others. */
export interface BenchCase {
  /** Runs in the server process: resolves when it takes calls. */
  serve(meeting: Meeting): Promise<void>;
  /** Runs in the client process: resolves with an echo of 512 bytes. */
  connect(meeting: Meeting): Promise<Echo>;
}

/** One call: resolves with bytes equal to the payload. */
export type Echo = (payload: Uint8Array) => Promise<Uint8Array>;
