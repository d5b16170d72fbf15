/** Where log lines go: Nest's `Logger` fits it, so does `console`. */
export interface GridLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  debug?(message: string): void;
}
