// The peer: emmett's event store on PostgreSQL, a new stream of one event for each append.
//
// It speaks as our client processes do: reads a load, says ready, appends at the next line,
// says what it did, and stays until its input ends.

import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const load = JSON.parse((await lines.next()).value);
// Its own pool would hold 10 connections; as many as clients is faster.
const pool = new pg.Pool({ connectionString: load.database_url, max: load.clients });
const store = getPostgreSQLEventStore(load.database_url, { connectionOptions: { pool } });
await store.schema.migrate();
const run = Date.now().toString(16);
let number = 0;

const append = () => {
  const invoice = `${run}-${(number += 1).toString(16).padStart(12, '0')}`;
  const data = JSON.parse(load.data.replaceAll('INVOICE', invoice));
  return store.appendToStream(`invoice-${invoice}`, [{ type: 'InvoiceRecorded', data }], {
    expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
  });
};

const appendFor = async (seconds) => {
  const latencies = [];
  const deadline = performance.now() + seconds * 1000;
  const client = async () => {
    for (let begun; (begun = performance.now()) < deadline; ) {
      await append();
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  return latencies.sort((a, b) => a - b);
};

await appendFor(load.warm_up_seconds);
console.log('ready');
await lines.next();
const begun = performance.now();
const cpu = process.cpuUsage();
const latencies = await appendFor(load.seconds);
const used = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    operations: latencies.length,
    events: latencies.length,
    seconds: (performance.now() - begun) / 1000,
    cpu_seconds: (used.user + used.system) / 1e6,
    p50_ms: latencies[Math.floor(latencies.length * 0.5)],
    p99_ms: latencies[Math.floor(latencies.length * 0.99)],
  }),
);
await lines.next();
process.exit(0);
