export { GRID_CODES, isGridCode, type GridCode, type GridReason } from './code.js';
export { framelessError, GridError, isDisconnected, textOf, toGridError, type GridErrorFacts } from './grid-error.js';
export { handled } from './handled.js';
export { andMore, countOf, isOmitted, type Omitted } from './omitted.js';
export { keptPart } from './kept-part.js';
export { inOneLine } from './one-line.js';
export { shortened } from './shortened.js';
export {
  CONGESTED,
  EVENTS_ONLY,
  failureOfText,
  refusalOfText,
  REQUESTS_ONLY,
  sequenceMismatch,
  TEXT,
  type ErrorWords,
} from './text.js';
