import type { GridError } from '../errors/index.js';
import type { ParentCall } from './call-options.js';

/** A context of this package tells of its abort without an AbortSignal: to make one costs more than a call does. */
export interface OwnContext {
  /** Set when the call was aborted. */
  readonly aborted: GridError | undefined;
  /** Calls `listener` once when the call is aborted later on; the returned function forgets it. */
  onceAborted(listener: (error: GridError) => void): () => void;
}

/** Under this a `ParentCall` gives its `OwnContext`, if it has one. */
export const OWN_CONTEXT = Symbol('nestjs-grid.context');

/** Undefined for what anybody else made. */
export function ownContextOf(parent: ParentCall | undefined): OwnContext | undefined {
  return (parent as { readonly [OWN_CONTEXT]?: OwnContext } | undefined)?.[OWN_CONTEXT];
}
