// Functions around the grid's own whose types nobody wrote down: the declarations made of them name types of the
// package, which must be exported for that.
import type { CallOptions, Grid, GridClient, GridPeer, PayloadArgs, PayloadOf } from 'nestjs-grid';
import type { ContractHandler, RequestContract, StreamArgs, StreamContract } from 'nestjs-grid';
import type { InputMessageOf, SendableContract } from 'nestjs-grid';

type Args<C extends RequestContract> = PayloadArgs<PayloadOf<C>, CallOptions<false>>;

export const asking =
  <C extends RequestContract>(peer: GridPeer, to: C) =>
  (...args: Args<C>) =>
    peer.request(to, ...args);

export const opening =
  <C extends StreamContract>(peer: GridPeer, to: C) =>
  (...args: StreamArgs<PayloadOf<C>, InputMessageOf<C>, false>) =>
    peer.stream(to, ...args);

export const sending =
  (client: GridClient) =>
  <C extends SendableContract>(to: C, ...args: PayloadArgs<PayloadOf<C>, never>) =>
    client.send(to, ...args);

export const handling =
  (grid: Grid) =>
  <C extends RequestContract>(to: C, run: ContractHandler<C>) =>
    grid.handle(to, {}, run);

export const members = ({ requestAll, broadcast, intercept, interceptHandlers, options, events, handlers }: Grid) => ({
  requestAll,
  broadcast,
  intercept,
  interceptHandlers,
  options,
  events,
  handlers,
});
