// Commands, queries, an error and an upload, with urql as its users write them.
import { Client, fetchExchange, gql } from "@urql/core";

const { URL, KEY } = process.env;
const client = new Client({
  url: URL,
  exchanges: [fetchExchange],
  fetchOptions: { headers: { Authorization: `Bearer ${KEY}` } },
});

async function told(operation, variables = {}) {
  const kind = operation.definitions[0].operation;
  const { data, error } = await client[kind](operation, variables).toPromise();
  if (error) throw error;
  return data;
}

const DRAFT = gql`
  mutation ($input: DraftInvoiceInput!) {
    draftInvoice(input: $input) { invoice position }
  }
`;
const LIST = gql`
  query ($at: Position) {
    invoices(first: 10, atLeast: $at) {
      nodes { __typename id status total }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }
`;
const ISSUE = gql`
  mutation ($id: ID!) {
    issueInvoice(input: { invoice: $id, series: "A" }) { position }
  }
`;
const OPEN = gql`
  mutation { openImportBatch(input: { origin: "urql" }) { batch } }
`;
const UPLOAD = gql`
  mutation ($batch: ID!, $file: Upload!) {
    uploadImportFile(input: { batch: $batch, file: $file }) { batch job events { type } }
  }
`;

const line = { description: "Bolt", quantity: "3", unitPrice: "1.50", taxRate: "21" };
const { draftInvoice } = await told(DRAFT, { input: { lines: [line] } });
const { invoices } = await told(LIST, { at: draftInvoice.position });
const refused = await told(ISSUE, { id: "nothing" }).catch((error) => error);
const { openImportBatch } = await told(OPEN);
const text = "number,date,quantity,unit_price\nU-1,2026-01-31,1,5\n";
const file = new File([text], "sales.csv", { type: "text/csv" });
const { uploadImportFile } = await told(UPLOAD, { batch: openImportBatch.batch, file });
console.log(
  JSON.stringify({ invoices, code: refused.graphQLErrors[0].extensions.code, uploadImportFile }),
);
