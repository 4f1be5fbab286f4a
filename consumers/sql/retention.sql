-- What is forgotten: of pets and organisations that left, and contacts that aren't wanted (any more).
-- Rows that somebody else has locked are passed over: the next run finds them.

-- name: begin_retention
-- Take a run if a day has passed, or the settings ($1, $2) have changed: whoever gets a row does it.
UPDATE petstream.retention SET ran_at = now(), removed_days = $1, contacts = $2
WHERE ran_at < now() - interval '1 day' OR (removed_days, contacts) IS DISTINCT FROM ($1, $2)
RETURNING ran_at;

-- name: newest_exports
-- The starts of the newest exports that were completed, newest first.
SELECT export_id FROM petstream.export_event
WHERE state = 'completed' AND export_id ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ'
GROUP BY export_id ORDER BY export_id COLLATE "C" DESC LIMIT 5;

-- name: anything_to_forget
-- Whether a pet or an organisation that left until $1 is remembered.
SELECT EXISTS (
        SELECT FROM petstream.pet
        WHERE NOT listed AND first_seen_at IS NOT NULL AND removed_at <= $1
    ) OR EXISTS (
        SELECT FROM petstream.organization
        WHERE NOT listed AND first_seen_at IS NOT NULL AND removed_at <= $1
    );

-- name: departed_pets
-- The next pets that left until $1, behind ($2, $3).
SELECT animal_id, removed_at FROM petstream.pet
WHERE NOT listed AND removed_at <= $1 AND (removed_at, animal_id) > ($2, $3)
ORDER BY removed_at, animal_id LIMIT $4;

-- name: forget_pets
-- Keep of these pets only what guards against older events: key, sequence, digest, removal.
UPDATE petstream.pet SET
    org_id = NULL, status = NULL, name = NULL, species = NULL, breed = NULL, primary_breed = NULL,
    secondary_breed = NULL, mixed = NULL, sex = NULL, age = NULL, size = NULL, birthdate = NULL,
    color = NULL, altered = NULL, declawed = NULL, housetrained = NULL, special_needs = NULL,
    good_with_dogs = NULL, good_with_cats = NULL, good_with_kids = NULL, adoption_fee = NULL,
    postal_code = NULL, description_html = NULL, description_text = NULL,
    description_rendered = NULL, tracker_url = NULL, pet_url = NULL, updated_at = NULL,
    media_updated_at = NULL, attributes = NULL, first_seen_at = NULL, changed_at = NULL
WHERE animal_id IN (
    SELECT animal_id FROM petstream.pet
    WHERE animal_id = ANY ($1::bigint[]) AND NOT listed AND removed_at <= $2
        AND first_seen_at IS NOT NULL
    ORDER BY animal_id FOR UPDATE SKIP LOCKED
);

-- name: forget_history
-- Keep of these pets' history what happened when, not the old values.
UPDATE petstream.pet_event SET old = '{}'
WHERE (animal_id, sequence) IN (
    SELECT event.animal_id, event.sequence
    FROM petstream.pet_event AS event JOIN petstream.pet USING (animal_id)
    WHERE animal_id = ANY ($1::bigint[]) AND NOT pet.listed AND pet.removed_at <= $2
        AND event.op <> 'removed' AND event.old <> '{}'
    ORDER BY event.animal_id, event.sequence FOR UPDATE OF event SKIP LOCKED
);

-- name: forget_pictures
-- Forget the pictures of these pets, and tell of those stored; the sweep takes the files.
WITH dropped AS (
    DELETE FROM petstream.pet_picture WHERE (animal_id, picture_key) IN (
        SELECT held.animal_id, held.picture_key
        FROM petstream.pet_picture AS held JOIN petstream.picture_set AS owner USING (animal_id)
        WHERE animal_id = ANY ($1::bigint[]) AND owner.left_at <= $2
        ORDER BY held.animal_id, held.picture_key FOR UPDATE OF held SKIP LOCKED
    )
    RETURNING animal_id, picture_id, stored_as, told
), news AS (
    INSERT INTO petstream.picture_news (op, animal_id, picture_id, sequence, export_id)
    SELECT 'gone', animal_id, picture_id, greatest(sequence, told + 1), coalesce(export_id, '')
    FROM dropped JOIN petstream.picture_set USING (animal_id)
    WHERE stored_as IS NOT NULL AND picture_id IS NOT NULL
)
SELECT count(*) FROM dropped;

-- name: forget_organizations
-- The same as of pets, of every organisation that left until $1: there are few.
UPDATE petstream.organization SET
    name = NULL, address = NULL, city = NULL, state = NULL, postal_code = NULL, country = NULL,
    phone = NULL, email = NULL, url = NULL, facebook_url = NULL, type = NULL, species = NULL,
    about = NULL, attributes = NULL, first_seen_at = NULL, changed_at = NULL
WHERE org_id IN (
    SELECT org_id FROM petstream.organization
    WHERE NOT listed AND removed_at <= $1 AND first_seen_at IS NOT NULL
    ORDER BY org_id FOR UPDATE SKIP LOCKED
);

-- name: forget_contacts
-- Take the contacts out of the next pets behind $1; return whose.
UPDATE petstream.pet
SET attributes = attributes
    - ARRAY['contactName', 'contactEmail', 'contactCellPhone', 'contactHomePhone']
WHERE animal_id IN (
    SELECT animal_id FROM petstream.pet
    WHERE animal_id > $1 AND attributes
        ?| ARRAY['contactName', 'contactEmail', 'contactCellPhone', 'contactHomePhone']
    ORDER BY animal_id LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING animal_id;

-- name: forget_old_contacts
-- Take the contacts out of some of the history.
UPDATE petstream.pet_event
SET old = old - ARRAY['contactName', 'contactEmail', 'contactCellPhone', 'contactHomePhone']
WHERE (animal_id, sequence) IN (
    SELECT animal_id, sequence FROM petstream.pet_event
    WHERE old ?| ARRAY['contactName', 'contactEmail', 'contactCellPhone', 'contactHomePhone']
    ORDER BY animal_id, sequence LIMIT $1 FOR UPDATE SKIP LOCKED
);
