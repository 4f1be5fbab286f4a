-- The wanted list of pictures: what each pet's newest event asks for.

-- name: accept_picture_sets
-- Take the picture sets that aren't older than what is held; return whose they are, and whether they
-- ask for other pictures. An equal event does: it derives the list anew, whatever became of it.
INSERT INTO petstream.picture_set AS held (animal_id, sequence, digest, export_id, left_at, wanted)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[]
)
ON CONFLICT (animal_id) DO UPDATE SET
    sequence = excluded.sequence, digest = excluded.digest, export_id = excluded.export_id,
    left_at = excluded.left_at, wanted = excluded.wanted,
    asks_for = CASE
        WHEN held.wanted = excluded.wanted AND held.left_at IS NULL
            AND excluded.sequence > held.sequence THEN 'same' ELSE 'other' END
WHERE (excluded.sequence, excluded.digest) >= (held.sequence, held.digest)
RETURNING animal_id, asks_for;

-- name: drop_pictures
-- Delete the pictures of pets ($1) that aren't in their new sets ($4, $5); an event for each stored,
-- by the sequences and exports of these sets ($2, $3).
WITH dropped AS (
    DELETE FROM petstream.pet_picture AS held
    WHERE held.animal_id = ANY ($1::bigint[])
        AND NOT EXISTS (
            SELECT FROM unnest($4::bigint[], $5::text[]) AS kept (animal_id, picture_key)
            WHERE kept.animal_id = held.animal_id AND kept.picture_key = held.picture_key
        )
    RETURNING held.animal_id, held.picture_id, held.stored_as, held.told
)
INSERT INTO petstream.picture_news (op, animal_id, picture_id, sequence, export_id)
SELECT 'gone', animal_id, picture_id, greatest(owner.sequence, told + 1), owner.export_id
FROM dropped JOIN unnest($1::bigint[], $2::bigint[], $3::text[])
    AS owner (animal_id, sequence, export_id) USING (animal_id)
WHERE stored_as IS NOT NULL AND picture_id IS NOT NULL;

-- name: want_pictures
-- Want pictures ($1: JSON, which costs a third of arrays); one of the same version keeps what is known of it, whatever its name and URL.
-- What could not be had is tried again under another URL; what is stored is not.
INSERT INTO petstream.pet_picture AS held (
    animal_id, picture_key, picture_id, position, updated_at, original_url, large_url, small_url,
    version, status
)
SELECT wanted.*, $2 FROM json_to_recordset($1::json) AS wanted (
    animal_id bigint, picture_key text, picture_id bigint, position int, updated_at timestamptz,
    original_url text, large_url text, small_url text, version timestamptz
)
ON CONFLICT (animal_id, picture_key) DO UPDATE SET
    position = excluded.position, updated_at = excluded.updated_at,
    original_url = excluded.original_url, large_url = excluded.large_url,
    small_url = excluded.small_url,
    version = greatest(held.version, excluded.version),
    (status, attempts, misses, next_try_at, error) = (
        SELECT
            CASE WHEN again THEN excluded.status ELSE held.status END,
            CASE WHEN again THEN 0 ELSE held.attempts END,
            CASE WHEN again THEN 0 ELSE held.misses END,
            CASE WHEN again THEN NULL ELSE held.next_try_at END,
            CASE WHEN again THEN NULL ELSE held.error END
        FROM (SELECT
            coalesce(excluded.version > held.version,
                excluded.version IS NOT NULL AND held.version IS NULL)
            OR (held.status IN ('failed', 'gone')
                AND (excluded.original_url, excluded.large_url, excluded.small_url)
                    IS DISTINCT FROM (held.original_url, held.large_url, held.small_url)) AS again
        ) AS decided
    )
WHERE (excluded.position, excluded.updated_at, excluded.original_url, excluded.large_url,
       excluded.small_url, greatest(held.version, excluded.version))
    IS DISTINCT FROM
    (held.position, held.updated_at, held.original_url, held.large_url, held.small_url,
     held.version);
