import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/** Nest's own logger, all on standard error: standard output carries the ready line and nothing else. */
export class StderrLogger extends ConsoleLogger {
  protected override printMessages(
    messages: unknown[],
    context?: string,
    logLevel?: LogLevel,
    _stream?: 'stdout' | 'stderr',
    errorStack?: unknown,
    params?: unknown[] | Record<string, unknown>,
  ): void {
    super.printMessages(messages, context, logLevel, 'stderr', errorStack, params);
  }
}
