-- Tables that only grow are frozen as they fill, a little at a time; the few rows that change
-- with each append are kept from bloating by updates in place (fillfactor) and early vacuums.
ALTER TABLE event SET (
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_freeze_min_age = 0
);
ALTER TABLE event_tag SET (
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_freeze_min_age = 0
);
ALTER TABLE log_head SET (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE append_writer SET (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0
);
