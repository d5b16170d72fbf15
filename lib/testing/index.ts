/**
 * For tests: whole apps over wires on which faults can be set, a proxy with faults for hosts in processes of their own,
 * a clock moved by hand, a grid whose other hosts are played by functions, and sockets joined in memory.
 */
export { FakeGrid, fakeGrid, type FakeGridOptions, type FakeHandlers } from './fake-grid.js';
export type { FaultPoint, FaultyWire } from './faulty-wire.js';
export { freeHosts, freePorts } from './free-ports.js';
export { GridTestingModule, type GridTestingNode, type GridTestingOptions } from './grid-testing-module.js';
export type { TestingAppBuilder } from './testing-app.js';
export { ManualClock } from './manual-clock.js';
export { MemorySocket, socketPair } from './socket-pair.js';
export { TcpFaultProxy, type TcpFaultProxyOptions, type TcpRecord } from './tcp-fault-proxy.js';
export type { TcpFaultPoint, TcpWay } from './tcp-way.js';
