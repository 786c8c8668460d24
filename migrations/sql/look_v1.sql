-- What a decision needs to know, in one round trip and as of one moment. Each row says what
-- it is:
--   head      position: the last of the log (no row: nothing happened)
--   erased    position: of the last time that the tenant forgot a data subject, or 0
--   result    name, data, actor, position: a known key, its result, fingerprint and base
--   snapshot  name, about, data, position: a state and its tag, folded up to position
--   event     as in the log, by position
--   long      position: the place of a boundary, from 0, that holds more than *most* events;
--             none is brought for it
--
-- Promises: the rows fit each other (one snapshot of the database, since the function is
-- STABLE); of each other boundary (tag, types joined by chr(31), after, state, version) every
-- event after the later of *after* and its snapshot's position. It sees the tenant that it is asked
-- for and, with row-level security, no other.
CREATE FUNCTION look_v1(
    tenant uuid,
    tags text[],
    types text[],
    afters bigint[],
    states text[],
    versions text[],
    keys text[],
    most integer
) RETURNS TABLE (
    what text,
    "position" bigint,
    name text,
    about text[],
    data text,
    recorded_at timestamptz,
    actor text,
    correlation_id text,
    causation_id text
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.tenant_id', tenant::text, true);
    RETURN QUERY
    WITH boundary AS (
        SELECT b.n, b.tag, string_to_array(b.types, chr(31)) AS types, s.state, s.data,
               s.position AS folded, greatest(b.after, s.position) AS after
        FROM unnest(tags, types, afters, states, versions) WITH ORDINALITY
             AS b (tag, types, after, state, version, n)
        LEFT JOIN snapshot AS s
            ON b.version <> '' AND s.tenant_id = tenant AND s.state = b.state AND s.tag = b.tag
            AND s.version = b.version AND s.position > b.after
            AND EXISTS (
                SELECT FROM event AS e
                WHERE e.tenant_id = tenant AND e.position = s.position AND e.hash = s.log_hash
            )
    ), found AS (
        SELECT b.n, t.positions
        FROM boundary AS b
        CROSS JOIN LATERAL (
            SELECT array_agg(i.position) AS positions FROM (
                SELECT i.position FROM event_tag AS i
                WHERE i.tenant_id = tenant AND i.tag = b.tag AND i.type = ANY (b.types)
                  AND i.position > b.after
                LIMIT most + 1
            ) AS i
        ) AS t
    ), brought AS (
        SELECT DISTINCT unnest(f.positions) AS position
        FROM found AS f WHERE cardinality(f.positions) <= most
    )
    SELECT 'event', e.position, e.type, e.tags, e.data,
           e.recorded_at, e.actor, e.correlation_id, e.causation_id
    FROM brought AS b JOIN event AS e ON e.tenant_id = tenant AND e.position = b.position
    UNION ALL
    SELECT 'long', f.n - 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM found AS f WHERE cardinality(f.positions) > most
    UNION ALL
    SELECT 'snapshot', b.folded, b.state, ARRAY[b.tag], b.data, NULL, NULL, NULL, NULL
    FROM boundary AS b WHERE b.folded IS NOT NULL
    UNION ALL
    SELECT 'result', k.base, k.key, NULL, k.result, NULL, k.fingerprint, NULL, NULL
    FROM idempotency AS k WHERE k.tenant_id = tenant AND k.key = ANY (keys)
    UNION ALL
    SELECT 'head', h.position, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM log_head AS h WHERE h.tenant_id = tenant
    UNION ALL
    SELECT 'erased', coalesce(max(t.position), 0), NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM event_tag AS t
    WHERE t.tenant_id = tenant AND t.tag = 'forgotten:subjects' AND t.type = 'SubjectForgotten'
    ORDER BY 2;
END
$$;
REVOKE ALL ON FUNCTION
    look_v1(uuid, text[], text[], bigint[], text[], text[], text[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    look_v1(uuid, text[], text[], bigint[], text[], text[], text[], integer) TO asiento_app;
