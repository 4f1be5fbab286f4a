-- The tables as they are, compared with the folded log.

-- name: audit_positions
-- How far every consumer is.
SELECT consumer, topic, partition, next_offset, record_id, timestamp_ms
FROM petstream.consumer_position;

-- name: audit_pets
-- Which event every pet's row is of, removed ones too.
SELECT animal_id AS key, sequence, digest, listed FROM petstream.pet;

-- name: audit_organizations
-- Which event every organisation's row is of, removed ones too.
SELECT org_id AS key, sequence, digest, listed FROM petstream.organization;

-- name: audit_picture_sets
-- Which event every pet's list of wanted pictures is of.
SELECT animal_id AS key, sequence, digest, left_at IS NULL AS listed FROM petstream.picture_set;

-- name: audit_may_last
-- The transaction that holds the lock waits as long as it takes.
SET LOCAL idle_in_transaction_session_timeout = 0;

-- name: audit_lock
-- One process compares by itself at a time; the lock goes with the transaction.
SELECT pg_try_advisory_xact_lock(x'61756474'::int);
