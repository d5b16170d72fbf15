/** What one client asked of one node, and what came of it. Times are milliseconds of one clock for all processes. */
interface Asked {
  readonly id: number;
  /** Number of the node that was asked. */
  readonly node: number;
  readonly start: number;
  readonly end: number;
  /** The client gave up at `start` plus this. */
  readonly withinMs: number;
  /** What went wrong, where something did. */
  readonly error?: string;
}

/** `unknown`: no answer, or one that says failed; it may have happened, and may happen for a while yet. */
export interface PutOperation extends Asked {
  readonly kind: 'put';
  readonly key: string;
  /** No two writes of a run have the same content. */
  readonly sha256: string;
  readonly size: number;
  readonly outcome: 'ok' | 'unknown';
  /** What the answer said. */
  readonly stored?: { readonly sha256: string; readonly version: string };
}

/** `absent`: the answer was that there is no such object. */
export interface DeleteOperation extends Asked {
  readonly kind: 'delete';
  readonly key: string;
  readonly outcome: 'ok' | 'absent' | 'unknown';
}

/** `failed`: an error, or an answer that was cut. */
export interface GetOperation extends Asked {
  readonly kind: 'get';
  readonly key: string;
  readonly outcome: 'found' | 'absent' | 'failed';
  readonly found?: Content;
}

export interface Content {
  readonly sha256: string;
  readonly size: number;
  readonly version: string;
}

export interface ListOperation extends Asked {
  readonly kind: 'list';
  readonly prefix: string;
  readonly outcome: 'whole' | 'failed';
  readonly entries?: readonly (Content & { readonly key: string })[];
}

/** A lock, held for some time. What happened under it stands in the journals of the nodes. */
export interface LockOperation extends Asked {
  readonly kind: 'lock';
  readonly key: string;
  readonly outcome: 'held' | 'lost' | 'failed';
}

export type Operation = PutOperation | DeleteOperation | GetOperation | ListOperation | LockOperation;

type Known = 'kind' | 'id' | 'node' | 'start' | 'withinMs' | 'key' | 'sha256' | 'size' | 'prefix';
type BegunOf<O> = O extends Operation ? Pick<O, Extract<keyof O, Known>> : never;

/** What is known of an operation before it is asked. */
export type Begun = BegunOf<Operation>;
