-- append_events_v2 has taken its place. The former knows no closed logs and settles nothing, so
-- that processes which still call it must end before this revision runs.
DROP FUNCTION append_events_v1;
DROP AGGREGATE chain(bytea);
DROP FUNCTION chain_step(bytea, bytea);
