import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** The memory of another process, in bytes. Where there is no /proc, the most is not known between two looks. */
export class ProcessMemory {
  private most = 0;

  constructor(private readonly pid: number) {}

  /** The peak is counted from now on. */
  mark(): number {
    const now = this.rss();
    this.most = now;
    try {
      // forgets the peak so far (proc(5))
      writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
    } catch {
      // not Linux: looks only
    }
    return now;
  }

  rss(): number {
    const rss =
      this.status('VmRSS') ?? Number(execFileSync('ps', ['-o', 'rss=', '-p', String(this.pid)]).toString()) * 1_024;
    this.most = Math.max(this.most, rss);
    return rss;
  }

  peak(): number {
    const rss = this.rss();
    return this.status('VmHWM') ?? Math.max(this.most, rss);
  }

  private status(field: string): number | undefined {
    try {
      const [, kilobytes] = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(
        readFileSync(`/proc/${this.pid}/status`, 'utf8'),
      ) as RegExpExecArray;
      return Number(kilobytes) * 1_024;
    } catch {
      // not Linux, or the process is gone
      return undefined;
    }
  }
}
