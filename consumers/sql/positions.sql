-- How far each consumer is; moved in the transaction of the data.

-- name: read_positions
-- The positions of a consumer.
SELECT topic, partition, next_offset, record_id, timestamp_ms
FROM petstream.consumer_position WHERE consumer = $1;

-- name: begin_position
-- The first position of a partition; no row comes back if somebody else wrote one.
INSERT INTO petstream.consumer_position
    (consumer, topic, partition, next_offset, record_id, timestamp_ms)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING next_offset;

-- name: move_position
-- The next position ($4 to $6), only from the one that was read ($7 to $9).
UPDATE petstream.consumer_position
SET next_offset = $4, record_id = $5, timestamp_ms = $6, moved_at = now()
WHERE consumer = $1 AND topic = $2 AND partition = $3
    AND next_offset = $7 AND record_id IS NOT DISTINCT FROM $8 AND timestamp_ms = $9
RETURNING next_offset;

-- name: set_position
-- Put a consumer's position somewhere else, whatever it was.
INSERT INTO petstream.consumer_position
    (consumer, topic, partition, next_offset, record_id, timestamp_ms)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, record_id = excluded.record_id,
    timestamp_ms = excluded.timestamp_ms, moved_at = now();

-- name: drop_position
-- Forget a position that the log doesn't know, and keep for the audit what it was ($7).
WITH dropped AS (
    DELETE FROM petstream.consumer_position
    WHERE consumer = $1 AND topic = $2 AND partition = $3
        AND next_offset = $4 AND record_id IS NOT DISTINCT FROM $5 AND timestamp_ms = $6
    RETURNING consumer, topic, partition, next_offset, record_id, timestamp_ms
)
INSERT INTO petstream.rewritten_position
    (consumer, topic, partition, next_offset, record_id, timestamp_ms, standing)
SELECT dropped.*, $7 FROM dropped
ON CONFLICT (consumer, topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, record_id = excluded.record_id,
    timestamp_ms = excluded.timestamp_ms, standing = excluded.standing, found_at = now(),
    settled_at = NULL
RETURNING next_offset;
