export { acceptHandshake, type Admission } from './accept-handshake.js';
export type { Connection } from './connection.js';
export { dialHandshake } from './dial-handshake.js';
export { guardedSocket } from './guarded-socket.js';
export type { ConnectionIntervals, ConnectionLimits } from './limits.js';
export type { FrameListener, FrameSocket, MessageSocket, MessageSocketListener } from './message-socket.js';
export { isSecure } from './origin.js';
export type { ConnectionPorts } from './ports.js';
export { wsSocket } from './ws-socket.js';
