// Follows events with the reference client, is cut off after each, and goes on with its cursor.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const { URL, KEY, EVENTS } = process.env;
const sockets = [];

class Watched extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.push(this);
  }
}

const client = createClient({
  url: URL.replace("http", "ws"),
  webSocketImpl: Watched,
  connectionParams: () => ({ Authorization: `Bearer ${KEY}` }),
  shouldRetry: () => true,
});

const query = "subscription ($after: Position) { events(after: $after) { position type } }";
const seen = [];
while (seen.length < Number(EVENTS)) {
  const after = seen.at(-1)?.position ?? "0";
  for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
    if (errors) throw new Error(JSON.stringify(errors));
    seen.push(data.events);
    sockets.at(-1).terminate();
    break;
  }
}
const { value } = await client.iterate({ query: "{ tenant { slug } }" }).next();
await client.dispose();
console.log(JSON.stringify({ seen, sockets: sockets.length, tenant: value.data.tenant }));
