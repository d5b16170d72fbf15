import { createServer } from 'node:http';
import { once } from 'node:events';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { itemPayload } from './items.js';

/** socket.io with acknowledgements, WebSocket only. It has no streams: messages are events, nothing holds them back. */
export const api = {
  async serve({ serverPort }) {
    const server = createServer();
    new Server(server, { transports: ['websocket'] }).on('connection', (socket) => {
      socket.on('echo', (payload, acknowledge) => acknowledge(payload));
      socket.on('items', (id, count) => {
        for (let index = 0; index < count; index++) socket.emit('item', id, itemPayload(index));
        socket.emit('end', id);
      });
    });
    server.listen(serverPort, '127.0.0.1');
    await once(server, 'listening');
  },

  async connect({ serverPort }) {
    const socket = io(`http://127.0.0.1:${serverPort}`, { transports: ['websocket'] });
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('connect_error', reject));
    const streams = new Map();
    let lastId = 0;
    socket.on('item', (id) => streams.get(id).taken++);
    socket.on('end', (id) => {
      const { resolve, taken } = streams.get(id);
      streams.delete(id);
      resolve(taken);
    });
    return {
      echo: (payload) => new Promise((resolve) => socket.emit('echo', payload, resolve)),
      items: (count) =>
        new Promise((resolve) => {
          const id = ++lastId;
          streams.set(id, { taken: 0, resolve });
          socket.emit('items', id, count);
        }),
    };
  },
};
