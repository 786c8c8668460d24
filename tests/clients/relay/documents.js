// What a Relay application writes: pages, refetched fragments, commands and subscriptions.
import { graphql } from "relay-runtime";

graphql`
  query documentsQuery {
    ...documents_invoices
    node(id: "Invoice:1") {
      ...documents_invoice @alias
    }
  }
`;

graphql`
  fragment documents_invoices on Query
  @refetchable(queryName: "documentsPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" }) {
    invoices(first: $count, after: $cursor, orderBy: ISSUED_ON_DESC)
      @connection(key: "documents_invoices") {
      edges {
        node {
          id
          ...documents_invoice
        }
      }
    }
  }
`;

graphql`
  fragment documents_back on Query
  @refetchable(queryName: "documentsBackQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" }) {
    jobs(last: $count, before: $cursor) @connection(key: "documents_jobs") {
      edges {
        node {
          id
          status
        }
      }
    }
  }
`;

graphql`
  fragment documents_invoice on Invoice @refetchable(queryName: "documentsInvoiceQuery") {
    number
    total
    customer {
      code
    }
  }
`;

graphql`
  mutation documentsDraftMutation($input: DraftInvoiceInput!, $key: String) {
    draftInvoice(input: $input, idempotencyKey: $key) {
      invoice
      position
    }
  }
`;

graphql`
  subscription documentsEventsSubscription($after: Position) {
    events(after: $after) {
      position
      type
    }
  }
`;
