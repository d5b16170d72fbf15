export { connectGrid, type ConnectGridOptions } from './connect-grid.js';
export { GridClient, type GridClientOptions } from './grid-client.js';
export { GridContext } from './grid-context.js';
export { GridInput } from './grid-input.js';
export { gridMicroservice, type GridMicroserviceOptions } from './grid-microservice.js';
export type {
  GridClientDefinition,
  GridModuleAsyncOptions,
  GridModuleOptions,
  GridOptionsFactory,
} from './grid-module-options.js';
export { GridModule } from './grid-module.js';
export { GridRecord, GridRecordBuilder } from './grid-record.js';
export { GridRequest, type GridRequestOptions, type RequestDecorator, type RequestResult } from './grid-request.js';
export {
  GridStream,
  type GridStreamOptions,
  type InputCheck,
  type StreamDecorator,
  type StreamResult,
} from './grid-stream.js';
export { GridStrategy, type GridServerEvents, type StrategyPorts } from './grid-strategy.js';
export { GridSubroute } from './grid-subroute.js';
export { getGridToken, InjectGrid, InjectGridClient } from './grid-token.js';
export { GRID_TRANSPORT, gridTransport } from './grid-transport.js';
export { Grid } from './grid.js';
export type { HandlerOptions, StreamHandlerOptions } from './handler-facts.js';
