-- Appends a batch of items, each all or nothing, and says for each what became of it:
--   appended   its events are in, from position base + 1
--   conflict   an event after item_after meets one of its conditions; nothing was written
--   repeated   one of its idempotency keys is known; nothing was written
--
-- Promises: positions of a tenant have no gap and are committed in their order (the heads are
-- locked, in tenant order, before anything is read); conditions and keys are checked on data
-- as of the lock. Asks of the caller: no item's condition may meet the events of another item
-- in the same batch, and no key may stand in it twice.
--
-- Items are numbered from 1; event_item, condition_item and key_item refer to them, events in
-- order. Lists inside a text (tags, types) are joined by chr(31). A condition is met by an
-- event that has one of its types (none named: any) and all of its tags.
CREATE FUNCTION append_events_v1(
    item_tenant uuid[],
    item_after bigint[],
    event_item integer[],
    event_type text[],
    event_tags text[],
    event_data text[],
    event_actor text[],
    event_correlation text[],
    event_causation text[],
    condition_item integer[],
    condition_types text[],
    condition_tags text[],
    key_item integer[],
    key_text text[],
    key_fingerprint text[],
    key_result text[]
) RETURNS TABLE (item integer, status text, base bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tenants uuid[] := ARRAY(SELECT DISTINCT t FROM unnest(item_tenant) AS t ORDER BY t);
    recorded timestamptz;
    micros text;
    locked integer;
BEGIN
    PERFORM FROM log_head AS h WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked < cardinality(tenants) THEN
        INSERT INTO log_head
        SELECT t, 0, decode(repeat('00', 32), 'hex') FROM unnest(tenants) AS t ORDER BY t
        ON CONFLICT DO NOTHING;
        PERFORM FROM log_head AS h
        WHERE h.tenant_id = ANY (tenants) ORDER BY h.tenant_id FOR UPDATE;
    END IF;
    recorded := clock_timestamp();
    micros := (extract(epoch FROM recorded) * 1000000)::bigint;
    micros := octet_length(micros) || ':' || micros;

    RETURN QUERY
    WITH asked AS (
        SELECT i.n::integer AS n, i.tenant, i.after, h.position AS head, h.hash AS head_hash
        FROM unnest(item_tenant, item_after) WITH ORDINALITY AS i (tenant, after, n)
        JOIN log_head AS h ON h.tenant_id = i.tenant
    ), refused AS (
        SELECT k.item AS n, 'repeated' AS status
        FROM unnest(key_item, key_text) AS k (item, key)
        JOIN asked AS a ON a.n = k.item
        WHERE EXISTS (
            SELECT FROM idempotency AS known
            WHERE known.tenant_id = a.tenant AND known.key = k.key
        )
        UNION
        SELECT c.item, 'conflict'
        FROM unnest(condition_item, condition_types, condition_tags) AS c (item, types, tags)
        JOIN asked AS a ON a.n = c.item AND a.after < a.head
        WHERE CASE
            WHEN c.types = '' OR c.tags = '' OR strpos(c.tags, chr(31)) > 0 THEN EXISTS (
                SELECT FROM event AS e
                WHERE e.tenant_id = a.tenant AND e.position > a.after
                  AND (c.types = '' OR e.type = ANY (string_to_array(c.types, chr(31))))
                  AND e.tags @> string_to_array(c.tags, chr(31))
            )
            ELSE EXISTS (
                SELECT FROM event_tag AS t
                WHERE t.tenant_id = a.tenant AND t.tag = c.tags
                  AND t.type = ANY (string_to_array(c.types, chr(31)))
                  AND t.position > a.after
            )
        END
    ), sized AS (
        SELECT a.*, coalesce(r.status, 'appended') AS status,
               CASE WHEN r.status IS NULL THEN coalesce(e.many, 0) ELSE 0 END AS many
        FROM asked AS a
        LEFT JOIN (
            SELECT x.n, max(x.status) AS status FROM refused AS x GROUP BY x.n
        ) AS r ON r.n = a.n
        LEFT JOIN (
            SELECT x AS n, count(*) AS many FROM unnest(event_item) AS x GROUP BY x
        ) AS e ON e.n = a.n
    ), judged AS (
        SELECT s.*, (s.head + coalesce(sum(s.many) OVER earlier, 0))::bigint AS base
        FROM sized AS s
        WINDOW earlier AS (
            PARTITION BY s.tenant ORDER BY s.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    ), placed AS (
        SELECT j.n, j.tenant, e.type, e.tags, e.data, e.actor, e.correlation, e.causation,
               j.base + row_number() OVER (PARTITION BY j.n ORDER BY e.place) AS position
        FROM unnest(event_item, event_type, event_tags, event_data,
                    event_actor, event_correlation, event_causation) WITH ORDINALITY
             AS e (item, type, tags, data, actor, correlation, causation, place)
        JOIN judged AS j ON j.n = e.item AND j.status = 'appended'
    ), links AS (
        SELECT DISTINCT j.tenant, j.head AS position, j.head_hash AS link FROM judged AS j
        UNION ALL
        -- Each field is led by its length in bytes, so that no two events look the same.
        SELECT p.tenant, p.position, convert_to(concat(
            '36:', p.tenant,
            octet_length(p.position::text), ':', p.position,
            octet_length(p.type), ':', p.type,
            octet_length(p.tags), ':', p.tags,
            micros,
            octet_length(p.actor), ':', p.actor,
            octet_length(p.correlation), ':', p.correlation,
            octet_length(p.causation), ':', p.causation,
            octet_length(p.data), ':', p.data
        ), 'UTF8')
        FROM placed AS p
    ), chained AS (
        SELECT l.tenant, l.position,
               chain(l.link) OVER (PARTITION BY l.tenant ORDER BY l.position) AS hash
        FROM links AS l
    ), events AS (
        INSERT INTO event
        SELECT p.tenant, p.position, p.type, string_to_array(p.tags, chr(31)), p.data,
               recorded, p.actor, p.correlation, p.causation, c.hash
        FROM placed AS p
        JOIN chained AS c ON c.tenant = p.tenant AND c.position = p.position
    ), tags AS (
        INSERT INTO event_tag
        SELECT p.tenant, t.tag, p.type, p.position
        FROM placed AS p, unnest(string_to_array(p.tags, chr(31))) AS t (tag)
    ), heads AS (
        UPDATE log_head AS h SET position = c.position, hash = c.hash
        FROM (
            SELECT DISTINCT ON (x.tenant) x.tenant, x.position, x.hash FROM chained AS x
            ORDER BY x.tenant, x.position DESC
        ) AS c
        WHERE h.tenant_id = c.tenant AND h.position < c.position
    ), keys AS (
        INSERT INTO idempotency
        SELECT j.tenant, k.key, k.fingerprint, j.base, k.result, recorded
        FROM unnest(key_item, key_text, key_fingerprint, key_result)
             AS k (item, key, fingerprint, result)
        JOIN judged AS j ON j.n = k.item AND j.status = 'appended'
    )
    SELECT j.n, j.status, j.base FROM judged AS j ORDER BY j.n;
END
$$;
