import type { Clock, Timer } from './clock.js';

/** Parts that a wait is cut into: of a sleep only one of them can pass. */
const PARTS = 4;

/**
 * A timer that waits for somebody else. It runs in parts, one after the other, so that a process whose event loop stood
 * still sees one part pass, however long that was, and reads what came meanwhile before it gives up.
 */
export class AwakeTimer implements Timer {
  private part: Timer;
  private left = PARTS;

  constructor(
    private readonly clock: Clock,
    private readonly delayMs: number,
    private readonly fire: () => void,
  ) {
    this.part = this.begin();
  }

  cancel(): void {
    this.part.cancel();
  }

  private begin(): Timer {
    return this.clock.setTimer(this.delayMs / PARTS, () => {
      this.left--;
      if (this.left === 0) this.fire();
      else this.part = this.begin();
    });
  }
}
