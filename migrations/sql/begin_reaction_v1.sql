-- Begins a reaction that is new, and says whether it was: its cursors are set to the heads of
-- the logs there are, so that nothing old is reacted to.
--
-- Promises: every event that is appended after the return is reacted to. Begun again, by whatever
-- process or version of the code, nothing happens; of two that begin it at once, one waits.
CREATE FUNCTION begin_reaction_v1(reaction_name text, of_system boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO reaction (name, of_system) VALUES (reaction_name, of_system) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO projection_cursor (tenant_id, projection, position)
    SELECT h.tenant_id, 'reaction:' || reaction_name, h.position
    FROM log_head AS h
    WHERE (h.tenant_id = '00000000-0000-0000-0000-000000000000') = of_system
    ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;
