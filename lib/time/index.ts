export { AwakeTimer } from './awake-timer.js';
export { systemClock, type Clock, type Timer } from './clock.js';
export { DeadlineWheel, type Deadline } from './deadline-wheel.js';
export { loopSleptMs } from './event-loop.js';
export { LineBudget } from './line-budget.js';
export { Rate } from './rate.js';
export { Rota, Turn } from './rota.js';
export { Window } from './window.js';
