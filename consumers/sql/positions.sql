-- How far each consumer is; moved in the transaction of the data.

-- name: read_positions
-- The positions of a consumer.
SELECT topic, partition, next_offset FROM petstream.consumer_position WHERE consumer = $1;

-- name: begin_position
-- The first position of a partition; no row comes back if somebody else wrote one.
INSERT INTO petstream.consumer_position (consumer, topic, partition, next_offset)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING next_offset;

-- name: move_position
-- The next position ($4), only from the one that was read ($5).
UPDATE petstream.consumer_position SET next_offset = $4, moved_at = now()
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $5
RETURNING next_offset;
