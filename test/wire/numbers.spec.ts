import { describe, expect, it } from '@jest/globals';
import { Flag, LEAST_MAX, METADATA_BYTES, MOST_EXT, Op, SUBROUTE_BYTES, CRC_BYTES } from '../../lib/wire/index.js';

describe('the numbers of the wire', () => {
  it('are the ops of the spec', () => {
    expect(Op).toEqual({
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
    });
  });

  it('are the flags of the spec', () => {
    expect(Flag).toEqual({
      Crc: 0x01,
      Eof: 0x02,
      Stateless: 0x04,
      PayloadIsErr: 0x08,
      PayloadIsZero: 0x10,
      Subroute: 0x20,
      Metadata: 0x40,
      Many: 0x80,
    });
  });

  it('are the sizes and bounds of the spec', () => {
    expect([CRC_BYTES, SUBROUTE_BYTES, METADATA_BYTES, LEAST_MAX, MOST_EXT]).toEqual([4, 32, 8192, 65_536, 64]);
  });
});
