-- Appends a batch of items as one transaction, or says which of them can't be appended and
-- then writes nothing: the caller sends the others again. A row of the answer is
--   appended   of tenant number item: its first event went to position base + 1
--   conflict   of item number item: an event after item_after meets one of its conditions
--   repeated   one of its idempotency keys is known
--   closed     the log of its tenant is closed
--
-- Promises: positions of a tenant have no gap and are committed in their order (the heads are
-- locked, in tenant order, before anything is read); conditions and keys are checked on data
-- as of the lock; a batch number of a writer is appended at most once, and its answer is kept
-- in the same transaction. Asks of the caller: tenants are sorted and each stands there once;
-- no item's condition may meet the events of another item in the same batch; no key may stand
-- in it twice.
--
-- Tenants and items are numbered from 1; item_tenant, event_tenant, condition_item and
-- key_item refer to them. Lists inside a text (tags, types) are joined by chr(31). A condition
-- is met by an event that has one of its types (none named: any) and all of its tags.
-- key_base counts the events of the item's tenant in this batch that come before the item.
--
-- Plans are generic: with arrays of each length there are, the server would plan each call
-- anew, which costs more than the call.
CREATE FUNCTION append_events_v2(
    in_writer uuid,
    in_batch bigint,
    tenants uuid[],
    item_tenant integer[],
    item_after bigint[],
    event_tenant integer[],
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
    key_result text[],
    key_base integer[]
) RETURNS TABLE (item integer, status text, base bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    heads bigint[];
    links bytea[];
    closed boolean[];
    ends bigint[];
    positions bigint[];
    hashes bytea[];
    recorded timestamptz;
    micros text;
    of integer;
BEGIN
    INSERT INTO log_head (tenant_id, position, hash)
    SELECT t, 0, decode(repeat('00', 32), 'hex') FROM unnest(tenants) AS t
    WHERE NOT EXISTS (SELECT FROM log_head AS h WHERE h.tenant_id = t)
    ON CONFLICT DO NOTHING;
    SELECT array_agg(h.position), array_agg(h.hash), array_agg(h.closed_at IS NOT NULL)
    INTO heads, links, closed
    FROM (
        SELECT l.position, l.hash, l.closed_at FROM log_head AS l
        WHERE l.tenant_id = ANY (tenants) ORDER BY l.tenant_id FOR UPDATE
    ) AS h;

    RETURN QUERY
    SELECT r.n, max(r.status), NULL::bigint FROM (
        SELECT i.n::integer AS n, 'closed' AS status
        FROM unnest(item_tenant) WITH ORDINALITY AS i (tenant, n)
        WHERE closed[i.tenant]
        UNION ALL
        SELECT k.item, 'repeated'
        FROM unnest(key_item, key_text) AS k (item, key)
        WHERE EXISTS (
            SELECT FROM idempotency AS known
            WHERE known.tenant_id = tenants[item_tenant[k.item]] AND known.key = k.key
        )
        UNION ALL
        SELECT c.item, 'conflict'
        FROM unnest(condition_item, condition_types, condition_tags) AS c (item, types, tags)
        WHERE item_after[c.item] < heads[item_tenant[c.item]] AND CASE
            WHEN c.types = '' OR c.tags = '' OR strpos(c.tags, chr(31)) > 0 THEN EXISTS (
                SELECT FROM event AS e
                WHERE e.tenant_id = tenants[item_tenant[c.item]]
                  AND e.position > item_after[c.item]
                  AND (c.types = '' OR e.type = ANY (string_to_array(c.types, chr(31))))
                  AND e.tags @> string_to_array(c.tags, chr(31))
            )
            ELSE EXISTS (
                SELECT FROM event_tag AS t
                WHERE t.tenant_id = tenants[item_tenant[c.item]] AND t.tag = c.tags
                  AND t.type = ANY (string_to_array(c.types, chr(31)))
                  AND t.position > item_after[c.item]
            )
        END
    ) AS r GROUP BY r.n;
    IF FOUND THEN
        RETURN;
    END IF;

    UPDATE append_writer AS w SET batch = in_batch, bases = heads, used_at = now()
    WHERE w.writer = in_writer AND w.batch = in_batch - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Batch % of writer % is settled.', in_batch, in_writer
            USING ERRCODE = 'AS001', HINT = 'Ask settle_writer_v1 what became of it.';
    END IF;

    recorded := clock_timestamp();
    micros := (extract(epoch FROM recorded) * 1000000)::bigint;
    micros := octet_length(micros) || ':' || micros;
    ends := heads;
    FOR n IN 1 .. cardinality(event_tenant) LOOP
        of := event_tenant[n];
        ends[of] := ends[of] + 1;
        positions[n] := ends[of];
        -- Each field is led by its length in bytes, so that no two events look the same.
        links[of] := sha256(links[of] || convert_to(concat(
            '36:', tenants[of],
            octet_length(ends[of]::text), ':', ends[of],
            octet_length(event_type[n]), ':', event_type[n],
            octet_length(event_tags[n]), ':', event_tags[n],
            micros,
            octet_length(event_actor[n]), ':', event_actor[n],
            octet_length(event_correlation[n]), ':', event_correlation[n],
            octet_length(event_causation[n]), ':', event_causation[n],
            octet_length(event_data[n]), ':', event_data[n]
        ), 'UTF8'));
        hashes[n] := links[of];
    END LOOP;

    INSERT INTO event
    SELECT tenants[e.tenant], e.position, e.type, string_to_array(e.tags, chr(31)), e.data,
           recorded, e.actor, e.correlation, e.causation, e.hash
    FROM unnest(event_tenant, positions, event_type, event_tags, event_data,
                event_actor, event_correlation, event_causation, hashes)
         AS e (tenant, position, type, tags, data, actor, correlation, causation, hash);

    INSERT INTO event_tag
    SELECT tenants[e.tenant], t.tag, e.type, e.position
    FROM unnest(event_tenant, positions, event_type, event_tags)
         AS e (tenant, position, type, tags),
         unnest(string_to_array(e.tags, chr(31))) AS t (tag);

    UPDATE log_head AS h SET position = e.position, hash = e.hash
    FROM unnest(tenants, ends, links) AS e (tenant, position, hash)
    WHERE h.tenant_id = e.tenant AND h.position < e.position;

    IF cardinality(key_item) > 0 THEN
        INSERT INTO idempotency
        SELECT tenants[item_tenant[k.item]], k.key, k.fingerprint,
               heads[item_tenant[k.item]] + k.base, k.result, recorded
        FROM unnest(key_item, key_text, key_fingerprint, key_result, key_base)
             AS k (item, key, fingerprint, result, base);
    END IF;

    RETURN QUERY SELECT t.n, 'appended', heads[t.n] FROM generate_subscripts(heads, 1) AS t (n);
END
$$;
