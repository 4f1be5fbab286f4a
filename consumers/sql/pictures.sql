-- The work on the wanted list: claimed, fetched, published, swept.

-- name: claim_pictures
-- Take up to $1 due pictures for $2; a claim that is never finished is due again afterwards.
UPDATE petstream.pet_picture AS picture
SET attempts = picture.attempts + 1, next_try_at = now() + $2::interval
FROM (
    SELECT animal_id, picture_key FROM petstream.pet_picture AS candidate
    WHERE (status = 'due' OR (status = 'failed' AND next_try_at IS NOT NULL))
        AND (next_try_at IS NULL OR next_try_at <= now())
        AND NOT EXISTS (
            SELECT FROM petstream.picture_set AS owner
            WHERE owner.animal_id = candidate.animal_id AND owner.left_at IS NOT NULL
        )
    ORDER BY next_try_at NULLS FIRST
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) AS due
WHERE picture.animal_id = due.animal_id AND picture.picture_key = due.picture_key
RETURNING picture.animal_id, picture.picture_key, picture.version, picture.attempts, picture.misses,
    picture.original_url, picture.large_url, picture.small_url, picture.fetched_url, picture.etag, picture.last_modified, picture.stored_as, picture.thumbnails;

-- name: pictures_by_status
-- How many pictures of listed pets there are of each status.
SELECT status, count(*) AS pictures FROM petstream.pet_pictures GROUP BY status;

-- name: picture_stored
-- Mark a picture as stored, with its event, unless the claim was lost or the picture moved on.
WITH done AS (
    UPDATE petstream.pet_picture SET
        status = 'stored', next_try_at = NULL, error = NULL, misses = 0, fetched_at = now(),
        stored_as = $5, thumbnails = $6, sha256 = $7, content_type = $8, bytes = $9, width = $10,
        height = $11, fetched_url = $12, etag = $13, last_modified = $14, rendition = $15,
        told = (SELECT greatest(sequence, told + 1) FROM petstream.picture_set AS owner
            WHERE owner.animal_id = pet_picture.animal_id)
    WHERE animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4
    RETURNING animal_id, picture_id, told
)
INSERT INTO petstream.picture_news (
    op, animal_id, picture_id, sequence, export_id, stored_as, thumbnails, sha256, content_type,
    bytes, width, height, rendition
)
SELECT 'stored', animal_id, picture_id, told, coalesce(export_id, ''), $5, $6, $7, $8, $9, $10,
    $11, $15
FROM done JOIN petstream.picture_set USING (animal_id) WHERE picture_id IS NOT NULL;

-- name: picture_unchanged
-- Mark a picture as stored: the host has nothing newer.
UPDATE petstream.pet_picture
SET status = 'stored', next_try_at = NULL, error = NULL, misses = 0, fetched_at = now()
WHERE animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4;

-- name: picture_failed
-- Write the outcome of a failed try, and when the next is ($8: seconds from now; null: never).
UPDATE petstream.pet_picture
SET status = $5, error = $6, misses = $7, next_try_at = now() + make_interval(secs => $8)
WHERE animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4;

-- name: picture_gone
-- Mark a picture that the host has no longer; with an event if it was stored.
WITH held AS (
    SELECT animal_id, picture_key, stored_as FROM petstream.pet_picture
    WHERE animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4
    FOR UPDATE
), done AS (
    UPDATE petstream.pet_picture AS picture SET
        status = 'gone', error = $5, misses = $6, next_try_at = NULL, stored_as = NULL,
        thumbnails = NULL, sha256 = NULL, content_type = NULL, bytes = NULL, width = NULL,
        height = NULL, fetched_url = NULL, etag = NULL, last_modified = NULL, rendition = NULL,
        told = (SELECT greatest(sequence, told + 1) FROM petstream.picture_set AS owner
            WHERE owner.animal_id = picture.animal_id)
    FROM held
    WHERE picture.animal_id = held.animal_id AND picture.picture_key = held.picture_key
    RETURNING picture.animal_id, picture.picture_id, picture.told, held.stored_as
)
INSERT INTO petstream.picture_news (op, animal_id, picture_id, sequence, export_id)
SELECT 'gone', animal_id, picture_id, told, coalesce(export_id, '')
FROM done JOIN petstream.picture_set USING (animal_id)
WHERE stored_as IS NOT NULL AND picture_id IS NOT NULL;

-- name: release_picture
-- Give back a claim that was not tried.
UPDATE petstream.pet_picture SET attempts = attempts - 1, next_try_at = now() + make_interval(secs => $5)
WHERE animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4;

-- name: want_pictures_listed_while_off
-- Want what was listed while there was no store.
UPDATE petstream.pet_picture SET status = 'due' WHERE status = 'off';

-- name: lock_outbox
-- One process publishes at a time, so that events go out in order.
SELECT pg_try_advisory_xact_lock(x'70696374'::int);

-- name: outbox_events
-- The oldest events that aren't published.
SELECT id, op, animal_id, picture_id, sequence, export_id, at, stored_as, thumbnails, sha256,
    content_type, bytes, width, height, rendition
FROM petstream.picture_news ORDER BY id LIMIT $1;

-- name: delete_outbox_events
-- Delete published events.
DELETE FROM petstream.picture_news WHERE id = ANY ($1::bigint[]);

-- name: begin_sweep
-- Take a sweep if one is due: whoever gets a row does it.
UPDATE petstream.picture_sweep SET swept_at = now()
WHERE swept_at < now() - $1::interval RETURNING swept_at;

-- name: drop_pictures_of_removed_pets
-- Delete the pictures of pets removed longer ago than the grace time; an event for each stored.
-- Who is just coming back is locked: its pictures stay.
WITH long_gone AS (
    SELECT animal_id, sequence, export_id FROM petstream.picture_set AS owner
    WHERE owner.left_at < now() - $1::interval
        AND EXISTS (SELECT FROM petstream.pet_picture AS held WHERE held.animal_id = owner.animal_id)
    FOR UPDATE SKIP LOCKED
), dropped AS (
    DELETE FROM petstream.pet_picture AS held USING long_gone
    WHERE long_gone.animal_id = held.animal_id
    RETURNING held.animal_id, held.picture_id, held.stored_as, held.told, long_gone.sequence,
        long_gone.export_id
)
INSERT INTO petstream.picture_news (op, animal_id, picture_id, sequence, export_id)
SELECT 'gone', animal_id, picture_id, greatest(sequence, told + 1), coalesce(export_id, '')
FROM dropped WHERE stored_as IS NOT NULL AND picture_id IS NOT NULL;

-- name: stored_keys
-- The files that rows of a part of the store name: originals and thumbnails.
SELECT stored_as, thumbnails FROM petstream.pet_picture
WHERE stored_as COLLATE "C" >= $1 AND stored_as COLLATE "C" < $1 || chr(127);

-- name: want_lost_pictures
-- Want again what is stored under keys whose files aren't there.
UPDATE petstream.pet_picture SET status = 'due', attempts = 0, next_try_at = NULL, etag = NULL,
    last_modified = NULL, error = 'file-lost'
WHERE stored_as = ANY ($1::text[]) AND status = 'stored';

-- name: retry_pictures
-- Make pictures due that failed, are gone or wait, and those of which a smaller rendition is stored:
-- of a host ($1), for a reason ($2), of a pet ($3); null: any. Return how many of each reason.
WITH again AS (
    UPDATE petstream.pet_picture AS picture
    SET status = 'due', attempts = 0, misses = 0, next_try_at = NULL
    WHERE ((status = 'stored' AND rendition <> 'original' AND $2::text IS NULL)
            OR status IN ('failed', 'gone') OR (status = 'due' AND error IS NOT NULL))
        AND ($2 IS NULL OR error = $2)
        AND ($3::bigint IS NULL OR animal_id = $3)
        AND ($1::text IS NULL OR EXISTS (
            SELECT FROM unnest(ARRAY[original_url, large_url, small_url]) AS url
            WHERE rtrim(lower(substring(url FROM '^[a-zA-Z]+://(?:[^/?#]*@)?([^/:?#]+)')), '.') = $1
        ))
        AND NOT EXISTS (
            SELECT FROM petstream.picture_set AS owner
            WHERE owner.animal_id = picture.animal_id AND owner.left_at IS NOT NULL
        )
    RETURNING coalesce(error, $4::text) AS reason
)
SELECT reason, count(*) AS pictures FROM again GROUP BY reason ORDER BY 2 DESC, 1;
