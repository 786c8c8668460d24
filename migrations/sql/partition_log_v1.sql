-- Makes the log's two large tables anew, hash-partitioned by tenant. Only while they are empty.
--
-- Promises: the same columns, keys, policies and rights as the whole tables have; each
-- partition forces row-level security, too. Raises AS003 where there is an event already.
CREATE FUNCTION partition_log_v1(partitions integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text;
    whole text;
    part text;
BEGIN
    IF EXISTS (SELECT FROM log_head) THEN
        RAISE EXCEPTION 'The log is not empty.' USING ERRCODE = 'AS003';
    END IF;
    FOREACH name IN ARRAY ARRAY['event', 'event_tag'] LOOP
        whole := name || '_whole';
        EXECUTE format('ALTER TABLE %I RENAME TO %I', name, whole);
        EXECUTE format('ALTER INDEX %I RENAME TO %I', name || '_pkey', whole || '_pkey');
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY HASH (tenant_id)', name, whole
        );
        PERFORM guard_log_table_v1(name);
        FOR n IN 0 .. partitions - 1 LOOP
            part := name || '_' || n;
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)'
                ' WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05,'
                ' autovacuum_freeze_min_age = 0)',
                part, name, partitions, n
            );
            PERFORM guard_log_table_v1(part);
        END LOOP;
        EXECUTE format(
            'COMMENT ON TABLE %I IS %L', name, obj_description(whole::regclass, 'pg_class')
        );
        EXECUTE format('DROP TABLE %I', whole);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION partition_log_v1(integer) FROM PUBLIC;
