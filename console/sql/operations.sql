-- What the pages of the console read beyond the views of a pet.

-- name: pictures_by_host
-- Pictures that aren't stored, by the host they are at.
SELECT substring(coalesce(original_url, large_url, small_url)
    FROM '^[a-zA-Z]+://(?:[^/?#]*@)?([^/:?#]+)') AS host, status, count(*) AS pictures
FROM petstream.pet_pictures WHERE status IN ('due', 'failed', 'gone')
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 12;

-- name: plans_of_late
-- The plans of removals, those that wait first, then the newest.
SELECT plan_id, export_id, entity, state, reason, removals, created_at, decided_at, decision_reason
FROM petstream.removal_plans
ORDER BY (state = 'held') DESC, created_at DESC, plan_id LIMIT 100;

-- name: plan_shares
-- $1: ids of pets. By organisation: how many of them are listed, and how many it lists at all.
SELECT pet.org_id, max(org.name) AS name,
    count(*) FILTER (WHERE pet.animal_id = ANY($1::bigint[])) AS leaving,
    count(*) AS listed
FROM petstream.pets AS pet LEFT JOIN petstream.organizations AS org USING (org_id)
WHERE pet.org_id IN (
    SELECT org_id FROM petstream.pets WHERE animal_id = ANY($1::bigint[]))
GROUP BY pet.org_id ORDER BY 3 DESC, 1;

-- name: pets_by_id
-- $1: ids of pets, in the order in which they are wanted.
SELECT pet.animal_id, pet.name, pet.species, pet.breed, pet.sex, pet.age, pet.status, (
    SELECT thumbnails FROM petstream.pet_pictures AS picture
    WHERE picture.animal_id = pet.animal_id AND picture.status = 'stored'
    ORDER BY position LIMIT 1
) AS thumbnails
FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (animal_id, place)
JOIN petstream.pets AS pet USING (animal_id) ORDER BY place;

-- name: letters_by_reason
-- How many dead letters there are of each class and reason.
SELECT CASE WHEN origin ~ '\.v[0-9]+/[0-9]+/[0-9]+$' THEN 'event' ELSE 'row' END AS class, reason,
    count(*) AS letters, max(at) AS newest
FROM petstream.dead_letters GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 40;

-- name: letters_of
-- $1: class, or empty. $2: reason, or empty. $3: offset below which. Newest first.
SELECT id::bigint AS id, at, origin, reason, error FROM petstream.dead_letters
WHERE ($1 = '' OR ($1 = 'event') = (origin ~ '\.v[0-9]+/[0-9]+/[0-9]+$'))
    AND ($2 = '' OR reason = $2) AND id::bigint < $3
ORDER BY 1 DESC LIMIT 51;

-- name: letters_to_send_back
-- $1, $2: as above. $3: offset below which. How many there are, the newest, the oldest 500.
WITH fitting AS (
    SELECT id::bigint AS id FROM petstream.dead_letters
    WHERE ($1 = '' OR ($1 = 'event') = (origin ~ '\.v[0-9]+/[0-9]+/[0-9]+$'))
        AND ($2 = '' OR reason = $2) AND id::bigint < $3
)
SELECT count(*) AS letters, max(id) AS newest,
    (SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM fitting ORDER BY id LIMIT 500) AS first)
        AS ids
FROM fitting;

-- name: pets_of_export
-- $1: an export. $2: what became of them. $3: the id behind which. By id.
SELECT changed.animal_id, coalesce(pet.name, gone.name) AS name,
    coalesce(pet.species, gone.species) AS species, coalesce(pet.breed, gone.breed) AS breed,
    coalesce(pet.sex, gone.sex) AS sex, pet.age, coalesce(pet.status, gone.status) AS status, (
    SELECT thumbnails FROM petstream.pet_pictures AS picture
    WHERE picture.animal_id = changed.animal_id AND picture.status = 'stored'
    ORDER BY position LIMIT 1
) AS thumbnails
FROM (
    SELECT DISTINCT animal_id FROM petstream.pet_history
    WHERE export_id = $1 AND op = $2 AND animal_id > $3 ORDER BY animal_id LIMIT 61
) AS changed
LEFT JOIN petstream.pets AS pet USING (animal_id)
LEFT JOIN petstream.removed_pets AS gone USING (animal_id)
ORDER BY changed.animal_id;

-- name: letters_of_export
-- $1: an export. Rows of it that were refused, oldest first.
SELECT id, origin, reason, error FROM petstream.dead_letters
WHERE starts_with(origin, $1 || '/') ORDER BY at, id LIMIT 21;
