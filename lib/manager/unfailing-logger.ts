import { isThenable } from '../calls/index.js';
import { handled } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';

/**
 * The application's logger, of which no method throws: a line that cannot be written changes nothing of what the grid
 * does, and nobody is left to tell of it.
 */
export function unfailingLogger(logger: GridLogger): GridLogger {
  const writing =
    (level: keyof GridLogger) =>
    (message: string): void => {
      try {
        const written: unknown = logger[level]?.(message);
        // a method that its author made async; of whichever kind its promise is
        if (isThenable(written)) void handled(written);
      } catch {
        // see above
      }
    };
  return { log: writing('log'), warn: writing('warn'), error: writing('error'), debug: writing('debug') };
}
