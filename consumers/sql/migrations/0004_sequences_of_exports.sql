-- Each record on exports.v1 has a sequence of its own: which is the newer no longer hangs on clocks.
-- (Rows from before have 0: among them the time decides as it did; the newer ones are above.)

ALTER TABLE petstream.export_event ADD COLUMN sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE petstream.plan_part ADD COLUMN sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE petstream.plan_decision ADD COLUMN sequence bigint NOT NULL DEFAULT 0;

-- Completed never goes back, and the first completion counts; else the highest sequence does.
CREATE OR REPLACE VIEW petstream.exports AS
SELECT DISTINCT ON (export_id)
    export_id, mode, state,
    min(at) FILTER (WHERE state = 'started') OVER of_export AS started_at,
    min(at) FILTER (WHERE state = 'completed') OVER of_export AS completed_at,
    counts
FROM petstream.export_event
WINDOW of_export AS (PARTITION BY export_id)
ORDER BY export_id, (state = 'completed') DESC, CASE WHEN state = 'completed' THEN at END,
    sequence DESC, at DESC, state, digest;
