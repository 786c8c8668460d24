-- A closed log takes no more events: append_events_v2 answers "closed".
ALTER TABLE log_head ADD COLUMN IF NOT EXISTS closed_at timestamptz;
