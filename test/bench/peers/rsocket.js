import { RSocketConnector, RSocketServer } from 'rsocket-core';
import { TcpClientTransport } from 'rsocket-tcp-client';
import { TcpServerTransport } from 'rsocket-tcp-server';
import { itemPayload } from './items.js';

/** Messages of a stream that may be on their way, and after how many that were taken the credits go back. */
const CREDITS = 64;
const REFILL = 32;

const nothing = { onError() {}, onNext() {}, onComplete() {}, onExtension() {} };

function asBuffer({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function requestResponse({ data }, responder) {
  responder.onNext({ data }, true);
  return { cancel() {}, onExtension() {} };
}

function requestStream({ data }, credits, responder) {
  const count = data.readUInt32LE(0);
  let sent = 0;
  let free = 0;
  const request = (more) => {
    for (free += more; free > 0 && sent < count; free--) {
      responder.onNext({ data: itemPayload(sent++) }, sent === count);
    }
  };
  // it is not ready to be answered before this returns
  queueMicrotask(() => request(credits));
  return { request, cancel() {}, onExtension() {} };
}

/** rsocket-js over TCP, as it comes. */
export const api = {
  async serve({ serverPort }) {
    const transport = new TcpServerTransport({ listenOptions: { host: '127.0.0.1', port: serverPort } });
    const acceptor = { accept: async () => ({ requestResponse, requestStream }) };
    await new RSocketServer({ transport, acceptor }).bind();
  },

  async connect({ serverPort }) {
    const transport = new TcpClientTransport({ connectionOptions: { host: '127.0.0.1', port: serverPort } });
    const socket = await new RSocketConnector({ transport }).connect();
    return {
      echo: (payload) =>
        new Promise((resolve, reject) => {
          const onNext = ({ data }) => resolve(data);
          socket.requestResponse({ data: asBuffer(payload) }, { ...nothing, onNext, onError: reject });
        }),
      items: (count) =>
        new Promise((resolve, reject) => {
          const data = Buffer.alloc(4);
          data.writeUInt32LE(count);
          let taken = 0;
          const onNext = (_, isLast) => {
            if (++taken % REFILL === 0 && !isLast) stream.request(REFILL);
            if (isLast) resolve(taken);
          };
          const stream = socket.requestStream({ data }, CREDITS, { ...nothing, onNext, onError: reject });
        }),
    };
  },
};
