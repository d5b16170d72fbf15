import { ServiceBroker } from 'moleculer';

const settings = ({ serverPort, clientPort }, nodeID, port) => ({
  nodeID,
  logger: false,
  transporter: {
    type: 'TCP',
    options: { udpDiscovery: false, port, urls: [`127.0.0.1:${serverPort}/server`, `127.0.0.1:${clientPort}/client`] },
  },
});

/** moleculer over its TCP transporter, default serializer: base64 in JSON. */
export const api = {
  async serve(meeting) {
    const broker = new ServiceBroker(settings(meeting, 'server', meeting.serverPort));
    // the handler really holds the bytes, as it does over the grid
    const echo = ({ params }) => ({ text: Buffer.from(params.text, 'base64').toString('base64') });
    broker.createService({ name: 'bench', actions: { echo } });
    await broker.start();
  },

  async connect(meeting) {
    const broker = new ServiceBroker(settings(meeting, 'client', meeting.clientPort));
    await broker.start();
    await broker.waitForServices('bench', 30_000);
    return {
      async echo({ buffer, byteOffset, byteLength }) {
        const text = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
        return Buffer.from((await broker.call('bench.echo', { text })).text, 'base64');
      },
    };
  },
};
