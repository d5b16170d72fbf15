import type { WriteStream } from 'node:tty';

const WIDTH = 30;
const REDRAW_MS = 50;

/** A progress bar on a terminal; elsewhere a line for each tenth. */
export class Progress {
  private done = 0;
  private bytes = 0;
  private tenths = 0;
  private drawnAt = 0;
  private readonly startedAt = performance.now();

  constructor(
    private readonly out: WriteStream,
    private readonly label: string,
    private readonly total: number,
  ) {}

  step(bytes: number): void {
    this.done++;
    this.bytes += bytes;
    if (this.out.isTTY) return this.draw();
    const tenths = Math.floor((this.done / this.total) * 10);
    if (tenths === this.tenths) return;
    this.tenths = tenths;
    this.out.write(`  ${this.label} ${this.text()}\n`);
  }

  end(): void {
    if (this.out.isTTY) this.out.write('\r\x1b[K');
  }

  private draw(): void {
    const now = performance.now();
    if (this.done < this.total && now - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = now;
    const filled = Math.round((this.done / this.total) * WIDTH);
    this.out.write(`\r  ${this.label} [${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${this.text()}\x1b[K`);
  }

  private text(): string {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const rate = this.bytes / Math.max(seconds, 0.001);
    return `${this.done}/${this.total} files, ${megabytes(this.bytes)}, ${megabytes(rate)}/s`;
  }
}

export function megabytes(bytes: number): string {
  return bytes < 10_000_000 ? `${(bytes / 1_000_000).toFixed(2)} MB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
