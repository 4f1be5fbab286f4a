-- The wanted list of pictures: what each pet's newest event asks for.

-- name: accept_picture_sets
-- Take the picture sets that aren't older than what is held; return whose they are.
INSERT INTO petstream.picture_set AS held (animal_id, sequence, digest)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
ON CONFLICT (animal_id) DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest
WHERE (excluded.sequence, excluded.digest) >= (held.sequence, held.digest)
RETURNING animal_id;

-- name: drop_pictures
-- Forget the pictures of pets ($1) that aren't in their new sets ($2, $3).
DELETE FROM petstream.pet_picture AS held
WHERE held.animal_id = ANY ($1::bigint[])
    AND NOT EXISTS (
        SELECT FROM unnest($2::bigint[], $3::text[]) AS kept (animal_id, picture_key)
        WHERE kept.animal_id = held.animal_id AND kept.picture_key = held.picture_key
    );

-- name: want_picture
-- Want a picture; the same picture of the same time keeps what is known of it, whatever its URL.
INSERT INTO petstream.pet_picture AS held (
    animal_id, picture_key, picture_id, position, updated_at, original_url, large_url, small_url,
    status
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (animal_id, picture_key) DO UPDATE SET
    position = excluded.position, updated_at = excluded.updated_at,
    original_url = excluded.original_url, large_url = excluded.large_url,
    small_url = excluded.small_url,
    status = CASE WHEN held.updated_at IS NOT DISTINCT FROM excluded.updated_at
        THEN held.status ELSE excluded.status END,
    attempts = CASE WHEN held.updated_at IS NOT DISTINCT FROM excluded.updated_at
        THEN held.attempts ELSE 0 END,
    next_try_at = CASE WHEN held.updated_at IS NOT DISTINCT FROM excluded.updated_at
        THEN held.next_try_at END,
    error = CASE WHEN held.updated_at IS NOT DISTINCT FROM excluded.updated_at
        THEN held.error END
WHERE (excluded.position, excluded.updated_at, excluded.original_url, excluded.large_url,
       excluded.small_url)
    IS DISTINCT FROM
    (held.position, held.updated_at, held.original_url, held.large_url, held.small_url);
