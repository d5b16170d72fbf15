import { systemClock, type Clock } from 'nestjs-grid';

/** The system's clock with a date that can be stepped: what travels in handshakes and tokens. */
export class TurnedClock implements Clock {
  stepMs: number;

  constructor(stepMs = 0) {
    this.stepMs = stepMs;
  }

  readonly now = systemClock.now;
  readonly setTimer = systemClock.setTimer;
  readonly random = systemClock.random;

  date(): number {
    return systemClock.date() + this.stepMs;
  }
}
