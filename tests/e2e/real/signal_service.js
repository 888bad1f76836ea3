'use strict';
// Signal's own mock server (npm @signalapp/mock-server) on loopback: the service that the real
// signal-cli talks to.
//
// Driven over standard input and output, one JSON object a line:
//   in   {"id":1,"call":"send","who":"bob","text":"hi","count":3}
//   out  {"id":1,"result":{…}} or {"id":1,"error":"…"}; events have "event" instead of "id"
// Calls: link {uri}; send {who,text,count,sealed}; drained {}; drop {}; counts {}.
// Events: ready {port,account,contacts}, received {by,text}.
// Ends with its standard input. Keeps files in the working directory.
//
// The mock server is made for newer clients than signal-cli 0.13.19; each place where the two
// differ is marked "signal-cli:". Test use only: the mock server is AGPL-3.0, signal-cli GPL-3.0.

const { randomUUID } = require('crypto');
const { EventEmitter } = require('events');
const path = require('path');
const readline = require('readline');
const { Aci, ServiceId } = require('@signalapp/libsignal-client');
const { Proto, Server, ServiceIdKind } = require('@signalapp/mock-server');
const { Connection } = require('@signalapp/mock-server/src/server/ws');

const say = (object) => process.stdout.write(JSON.stringify(object) + '\n');

// --- Messages as signal-cli reads them ----------------------------------------------------------

// signal-cli: reads service ids from text fields that the mock server no longer writes. Protobuf
// allows fields in any order, so they are added behind the others.
function addTextFields(type, fieldsOf) {
  const encode = type.encode;
  type.encode = (message, writer) => {
    const out = encode(message, writer);
    for (const [id, text] of fieldsOf(message)) out.uint32((id << 3) | 2).string(text);
    return out;
  };
}
function serviceIdOf(bytes) {
  return ServiceId.parseFromServiceIdBinary(Buffer.from(bytes)).getServiceIdString();
}
const uuidOf = (bytes) => Aci.fromUuidBytes(bytes).getServiceIdString();

addTextFields(Proto.ProvisionMessage, ({ aciBinary, pniBinary }) => [
  [8, uuidOf(aciBinary)],
  [10, uuidOf(pniBinary)],
]);
addTextFields(Proto.Envelope, ({ sourceServiceIdBinary: from, destinationServiceIdBinary: to }) => [
  [9, randomUUID()], // the envelope's own name
  ...(from?.length ? [[11, serviceIdOf(from)]] : []),
  ...(to?.length ? [[13, serviceIdOf(to)]] : []),
]);

// --- One connection of a device ------------------------------------------------------------------

const send = Connection.prototype.send;
Connection.prototype.send = function (verb, path, options) {
  const answer = send.call(this, verb, path, options);
  // signal-cli: never answers the two requests of the linking connection.
  return /^\/v1\/(address|message)$/.test(path) ? { status: 200 } : answer;
};

// Resolves to true when the device has acknowledged it, to false when the connection ended before.
Connection.prototype.deliver = async function (envelope) {
  // signal-cli: wants the time at which the service handed the envelope over.
  const headers = [`X-Signal-Timestamp:${Date.now()}`];
  const { status } = await this.send('PUT', '/api/v1/message', { headers, body: envelope });
  return status === 200;
};

const bytesOf = (object) => Buffer.from(JSON.stringify(object));
const json = (status, object) => ({ status, headers: [], body: bytesOf(object) });
const withoutNulls = (body) => bytesOf(JSON.parse(body, (_, value) => value ?? undefined));

Connection.prototype.handleRequest = async function (request) {
  const { verb, path } = request;
  // signal-cli: asks these when it starts with an account; the mock server does not know them.
  if (verb === 'PUT' && /^\/v1\/accounts\/attributes\/?$/.test(path)) return json(200, {});
  if (verb === 'GET' && /^\/v1\/devices\/?$/.test(path)) return json(200, { devices: [] });
  // signal-cli: writes null where the mock server wants nothing.
  const body = request.body && Buffer.from(request.body);
  if (body && body[0] === 0x7b /* { */) request.body = withoutNulls(body);
  const response = await this.router.run(request);
  // signal-cli: wants a profile to name whose it is.
  const profile = /^\/v1\/profile\/([^/?]+)/.exec(path);
  if (profile && verb === 'GET' && response.status === 200) {
    const fields = JSON.parse(response.body);
    response.body = bytesOf({ ...fields, uuid: decodeURIComponent(profile[1]), badges: [] });
  }
  if (response.status >= 400) console.error(verb, path, response.status, String(response.body));
  return response;
};

// --- The service ---------------------------------------------------------------------------------

class Service extends Server {
  #queues = new Map(); // device -> envelopes without an acknowledgement, oldest first
  #drained = []; // who waits for all queues to be empty
  #numbers = 0;
  counts = { queued: 0, acknowledged: 0, repeated: 0 };

  // Numbers that belong to nobody.
  async generateNumber() {
    return `+1555010${String(++this.#numbers).padStart(4, '0')}`;
  }

  // Like the real service: an envelope stays queued until the device acknowledges it, and each new
  // connection of the device gets all that are not, in order.
  async send(device, envelope) {
    const entry = { envelope, tries: 0 };
    this.#queue(device).push(entry);
    this.counts.queued++;
    for (const connection of this.webSockets.get(device) ?? []) {
      void this.#deliver(device, connection, entry);
    }
  }

  async addWebSocket(device, connection) {
    if (!this.webSockets.has(device)) this.webSockets.set(device, new Set());
    this.webSockets.get(device).add(connection);
    const waiting = [...this.#queue(device)];
    await Promise.all(waiting.map((entry) => this.#deliver(device, connection, entry)));
    const headers = [`X-Signal-Timestamp:${Date.now()}`];
    await connection.send('PUT', '/api/v1/queue/empty', { headers });
  }

  async #deliver(device, connection, entry) {
    if (entry.tries++ > 0) this.counts.repeated++;
    if (!(await connection.deliver(entry.envelope))) return;
    const queue = this.#queue(device);
    const place = queue.indexOf(entry);
    if (place < 0) return; // acknowledged on an earlier connection too
    queue.splice(place, 1);
    this.counts.acknowledged++;
    if (this.waiting() === 0) for (const done of this.#drained.splice(0)) done();
  }

  #queue(device) {
    if (!this.#queues.has(device)) this.#queues.set(device, []);
    return this.#queues.get(device);
  }

  waiting() {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  async drained() {
    if (this.waiting() > 0) await new Promise((resolve) => this.#drained.push(resolve));
  }

  connections(device) {
    return this.webSockets.get(device)?.size ?? 0;
  }

  // Ends all connections of a device; returns how many.
  drop(device) {
    const connections = [...(this.webSockets.get(device) ?? [])];
    for (const connection of connections) connection.ws.close(1012);
    return connections.length;
  }

  // signal-cli: makes some calls over plain HTTPS that the mock server has on its WebSocket alone.
  async listen(port, host) {
    await super.listen(port, host);
    const [original] = this.https.listeners('request');
    this.https.removeAllListeners('request');
    this.https.on('request', (request, response) => {
      if (/^\/v\d+\//.test(request.url)) void this.#answer(request, response);
      else original(request, response);
    });
  }

  async #answer(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const connection = new Connection(request, new EventEmitter(), this);
    const [, login] = (request.headers.authorization ?? '').split(' ');
    if (login) {
      const [name, password] = Buffer.from(login, 'base64').toString().split(':');
      connection.device = await this.auth(name, password);
    }
    const headers = Object.entries(request.headers).map(([name, value]) => `${name}:${value}`);
    const body = parts.length > 0 ? Buffer.concat(parts) : undefined;
    const { method: verb, url: path } = request;
    const answer = await connection.handleRequest({ verb, path, headers, body });
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.body);
  }
}

// --- The people and what they do -----------------------------------------------------------------

async function main() {
  const service = new Service({ cdn3Path: path.resolve('cdn3') });
  await service.listen(0, '127.0.0.1');
  const owner = await service.createPrimaryDevice({ profileName: 'Owner' });
  const contacts = {
    bob: await service.createPrimaryDevice({ profileName: 'Bob' }),
    carol: await service.createPrimaryDevice({ profileName: 'Carol' }),
  };
  // signal-cli: wants every attachment to say where it lies.
  owner.contactsBlob = { ...owner.contactsBlob, cdnNumber: 0 };
  let linked; // the device that signal-cli became
  const introduced = new Set(); // contacts that have a session with it
  let lastTimestamp = 0;

  for (const [name, contact] of Object.entries(contacts)) {
    void (async () => {
      for (;;) say({ event: 'received', by: name, text: (await contact.waitForMessage()).body });
    })();
  }

  const calls = {
    // Completes the linking that a client began with this URI, as the owner's phone would.
    async link({ uri }) {
      const provision = await service.waitForProvision();
      linked = await provision.complete({ provisionURL: uri, primaryDevice: owner });
      return { device: linked.deviceId };
    },

    // Sends `count` messages "text 0", "text 1", … (one: "text"), each with its own timestamp.
    async send({ who, text, count, sealed }) {
      const contact = contacts[who];
      if (!introduced.has(contact)) {
        introduced.add(contact);
        const key = await linked.popSingleUseKey(ServiceIdKind.ACI);
        await contact.addSingleUseKey(linked, key);
      }
      const texts = count > 1 ? [...Array(count).keys()].map((i) => `${text} ${i}`) : [text];
      for (const body of texts) {
        lastTimestamp = Math.max(Date.now(), lastTimestamp + 1);
        const options = { timestamp: lastTimestamp, sealed, withProfileKey: true };
        await service.send(linked, await contact.encryptText(linked, body, options));
      }
      return { texts };
    },

    // Answers when the device has acknowledged everything.
    async drained() {
      await service.drained();
      return {};
    },

    async drop() {
      return { closed: service.drop(linked) };
    },

    async counts() {
      const connections = service.connections(linked);
      return { ...service.counts, waiting: service.waiting(), connections };
    },
  };

  const lines = readline.createInterface({ input: process.stdin });
  lines.on('close', () => process.exit(0));
  lines.on('line', async (line) => {
    const { id, call, ...parameters } = JSON.parse(line);
    try {
      say({ id, result: await calls[call](parameters) });
    } catch (error) {
      say({ id, error: error.stack });
    }
  });

  const described = (person) => ({ number: person.device.number, aci: person.device.aci });
  say({
    event: 'ready',
    port: service.address().port,
    account: described(owner),
    contacts: { bob: described(contacts.bob), carol: described(contacts.carol) },
  });
}

process.on('unhandledRejection', (error) => console.error(error));
void main();
