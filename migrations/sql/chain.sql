-- The next hash of a log: SHA-256 over the hash before it and the event's envelope.
CREATE FUNCTION chain_step(previous bytea, envelope bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256(previous || envelope);

-- Folds the envelopes of one log, in order. Its first input is the hash to start from
-- (a strict step function makes the first input the state), then an envelope each.
CREATE AGGREGATE chain(bytea) (
    sfunc = chain_step,
    stype = bytea
);
