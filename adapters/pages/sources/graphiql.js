// GraphiQL on the API that serves it. The credential stands in the headers editor and is kept
// nowhere: subscriptions show it in the first message of their WebSocket.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const url = new URL("graphql", document.baseURI);
const socket = new URL(url);
socket.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const fetcher = createGraphiQLFetcher({ url: url.href, subscriptionUrl: socket.href });
// Its history would keep the headers of each query too, and with them the credential.
const storage = {
  get length() {
    return localStorage.length;
  },
  clear: () => localStorage.clear(),
  getItem: (key) => localStorage.getItem(key),
  removeItem: (key) => localStorage.removeItem(key),
  setItem: (key, value) => localStorage.setItem(key, withoutHeaders(value)),
};

function withoutHeaders(value) {
  try {
    return JSON.stringify(JSON.parse(value, (key, held) => (key === "headers" ? undefined : held)));
  } catch {
    return value; // A text of its own, such as the chosen theme.
  }
}

const page = createElement(GraphiQL, {
  fetcher,
  storage,
  showPersistHeadersSettings: false,
  defaultHeaders: '{\n  "Authorization": "Bearer "\n}\n',
  defaultQuery:
    "# Write an API key or token behind Bearer, under Headers below.\n" +
    "# Then load the schema anew: the circling arrows on the left.\n" +
    "{\n  tenant {\n    slug\n    name\n  }\n}\n",
});
createRoot(document.getElementById("page")).render(page);
