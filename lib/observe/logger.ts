/** Where log lines go: Nest's `Logger` fits it, so does `console`. */
export interface GridLogger {
  /** What is well again, or was reloaded. */
  log(message: string): void;
  /** What somebody should look at: a peer that is away or refused. */
  warn(message: string): void;
  /** What failed here, with its stack where it has one. */
  error(message: string): void;
  /** First connections. */
  debug?(message: string): void;
}
