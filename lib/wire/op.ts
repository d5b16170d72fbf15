/** What a message is for (wire spec §2). The only place where these numbers stand, but for assembly/frame.ts. */
export const Op = Object.freeze({
  Connect: 1,
  ConnectResponse: 2,
  Ping: 3,
  Pong: 4,
  ConnectMux: 5,
  MuxConnectError: 6,
  DisconnectClientMux: 7,
  DisconnectServerMux: 8,
  MuxClientMsg: 9,
  MuxServerMsg: 10,
  UnblockSrvMux: 11,
  UnblockClMux: 12,
  AckMux: 13,
  Request: 14,
  Response: 15,
  Disconnect: 16,
  Merged: 17,
} as const);

export type Op = (typeof Op)[keyof typeof Op];

export const FIRST_OP = Op.Connect;
export const LAST_OP = Op.Merged;
