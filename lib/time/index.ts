export { systemClock, type Clock, type Timer } from './clock.js';
export { Rota } from './rota.js';
