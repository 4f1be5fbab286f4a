-- Rewinding a consumer.

-- name: set_position
-- Put a consumer's position somewhere else, whatever it was.
INSERT INTO petstream.consumer_position (consumer, topic, partition, next_offset)
VALUES ($1, $2, $3, $4)
ON CONFLICT (consumer, topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, moved_at = now();
