-- The search: its words and filters first, then what is shown of what they match.
-- Patterns ($1-$5) are of LIKE, each for a word: anywhere if it is long, else where a word begins.

-- name: matching
-- Pets that fit the words ($1-$5; $14-$18: organisations that each fits), species and status ($6,
-- $7), the state's organisations ($8), an organisation ($9), trouble with a picture ($10), whether
-- listed ($11), and not listed since and until ($12, $13). Null asks for nothing.
SELECT pet.animal_id, pet.org_id, pet.listed, pet.removed_at, pet.species, pet.status, pet.name
FROM petstream.pet_search AS pet
WHERE pet.words IS NOT NULL
    AND ($1::text IS NULL OR pet.words LIKE $1 OR pet.org_id = ANY ($14::bigint[]))
    AND ($2::text IS NULL OR pet.words LIKE $2 OR pet.org_id = ANY ($15::bigint[]))
    AND ($3::text IS NULL OR pet.words LIKE $3 OR pet.org_id = ANY ($16::bigint[]))
    AND ($4::text IS NULL OR pet.words LIKE $4 OR pet.org_id = ANY ($17::bigint[]))
    AND ($5::text IS NULL OR pet.words LIKE $5 OR pet.org_id = ANY ($18::bigint[]))
    AND ($6::text IS NULL OR pet.species = $6)
    AND ($7::text IS NULL OR pet.status = $7)
    AND ($8::bigint[] IS NULL OR pet.org_id = ANY ($8))
    AND ($9::bigint IS NULL OR pet.org_id = $9)
    AND ($10::text IS NULL OR pet.animal_id IN (
        SELECT animal_id FROM petstream.pet_picture AS picture
        WHERE picture.status IN ('failed', 'gone') AND picture.status = $10))
    AND ($11::boolean IS NULL OR pet.listed = $11)
    AND ($12::timestamptz IS NULL OR pet.removed_at >= $12)
    AND ($13::timestamptz IS NULL OR pet.removed_at < $13);

-- name: nearest
-- The next $19 behind ($20, $21, $22): named just so ($23), named so at first, elsewhere, otherwise;
-- those that left come last.
SELECT animal_id, name AS sorted_by, (
        CASE WHEN name = $23 THEN 0 WHEN starts_with(name, $23) THEN 1
            WHEN strpos(name, $23) > 0 THEN 2 ELSE 3 END + CASE WHEN listed THEN 0 ELSE 4 END
    )::int AS rank
FROM matched
WHERE $20::int IS NULL OR (
        CASE WHEN name = $23 THEN 0 WHEN starts_with(name, $23) THEN 1
            WHEN strpos(name, $23) > 0 THEN 2 ELSE 3 END + CASE WHEN listed THEN 0 ELSE 4 END,
        name, animal_id
    ) > ($20::int, $21::text, $22::bigint)
ORDER BY rank, name, animal_id LIMIT $19::int;

-- name: by_name
-- The next $19 by name behind ($21, $22).
SELECT animal_id, name AS sorted_by, coalesce($20::int, 0) AS rank FROM matched
WHERE $21::text IS NULL OR (name, animal_id) > ($21::text, $22::bigint)
ORDER BY name, animal_id LIMIT $19::int;

-- name: shown
-- What a card shows of each pet that was chosen.
SELECT pet.animal_id, pet.name, pet.species, pet.breed, pet.sex, pet.age, pet.status, pet.org_id,
    pet.listed, pet.removed_at, org.name AS org_name, org.city, upper(btrim(org.state)) AS state, chosen.rank,
    chosen.sorted_by, (
        SELECT thumbnails FROM petstream.pet_picture AS picture
        WHERE picture.animal_id = pet.animal_id AND picture.status = 'stored'
        ORDER BY position LIMIT 1
    ) AS thumbnails
FROM chosen JOIN petstream.pet USING (animal_id)
LEFT JOIN petstream.organization AS org ON org.org_id = pet.org_id
ORDER BY chosen.rank, chosen.sorted_by, pet.animal_id;

-- name: facets
-- How many of those matched are of each kind.
SELECT 'all' AS facet, NULL AS value, NULL AS label, count(*) AS pets FROM matched
UNION ALL
SELECT 'species', species, NULL, count(*) FROM matched GROUP BY species
UNION ALL
SELECT 'status', status, NULL, count(*) FROM matched GROUP BY status
UNION ALL
SELECT 'state', upper(btrim(org.state)), NULL, count(*)
FROM matched JOIN petstream.organization AS org USING (org_id)
WHERE btrim(org.state) <> '' GROUP BY 2
UNION ALL (
    SELECT 'org', kept.org_id::text, org.name, kept.pets
    FROM (
        SELECT org_id, count(*) AS pets FROM matched WHERE org_id IS NOT NULL
        GROUP BY org_id ORDER BY pets DESC, org_id LIMIT 12
    ) AS kept JOIN petstream.organization AS org USING (org_id)
)
UNION ALL
SELECT 'pictures', picture.status, NULL, count(DISTINCT animal_id)
FROM matched JOIN petstream.pet_picture AS picture USING (animal_id)
WHERE picture.status IN ('failed', 'gone') GROUP BY 2
UNION ALL
SELECT 'left', CASE
        WHEN listed THEN 'listed'
        WHEN removed_at >= now() - interval '1 day' THEN 'day'
        WHEN removed_at >= now() - interval '7 days' THEN 'week'
        WHEN removed_at >= now() - interval '30 days' THEN 'month'
        ELSE 'earlier' END, NULL, count(*)
FROM matched GROUP BY 2;

-- name: facets_of_all
-- The same of all that are listed, without looking at each: indexes alone are read.
WITH kind AS MATERIALIZED (
    SELECT species, status, count(*) AS pets FROM petstream.pet_search WHERE listed
    GROUP BY species, status
), kept AS MATERIALIZED (
    SELECT org_id, count(*) AS pets FROM petstream.pet_search WHERE listed GROUP BY org_id
)
SELECT 'all' AS facet, NULL AS value, NULL AS label, coalesce(sum(pets), 0)::bigint AS pets FROM kind
UNION ALL
SELECT 'species', species, NULL, sum(pets)::bigint FROM kind GROUP BY species
UNION ALL
SELECT 'status', status, NULL, sum(pets)::bigint FROM kind GROUP BY status
UNION ALL
SELECT 'state', upper(btrim(org.state)), NULL, sum(kept.pets)::bigint
FROM kept JOIN petstream.organization AS org USING (org_id)
WHERE btrim(org.state) <> '' GROUP BY 2
UNION ALL (
    SELECT 'org', largest.org_id::text, org.name, largest.pets
    FROM (SELECT org_id, pets FROM kept ORDER BY pets DESC, org_id LIMIT 12) AS largest
    JOIN petstream.organization AS org USING (org_id)
)
UNION ALL
SELECT 'pictures', status, NULL, count(DISTINCT animal_id)
FROM (
    SELECT picture.status, picture.animal_id
    FROM petstream.pet_picture AS picture
    WHERE picture.status IN ('failed', 'gone') LIMIT 20000
) AS trouble GROUP BY status
UNION ALL
SELECT 'left', CASE
        WHEN removed_at >= now() - interval '1 day' THEN 'day'
        WHEN removed_at >= now() - interval '7 days' THEN 'week'
        WHEN removed_at >= now() - interval '30 days' THEN 'month'
        ELSE 'earlier' END, NULL, count(*)
FROM (
    SELECT removed_at FROM petstream.pet_search WHERE NOT listed AND words IS NOT NULL LIMIT 20000
) AS gone GROUP BY 2;

-- name: known_species
-- Every species there is, by skipping from one to the next.
WITH RECURSIVE step AS (
    (SELECT species FROM petstream.pet_search WHERE listed AND species IS NOT NULL
     ORDER BY species LIMIT 1)
    UNION ALL
    SELECT (
        SELECT following.species FROM petstream.pet_search AS following
        WHERE following.listed AND following.species > step.species
        ORDER BY following.species LIMIT 1
    ) FROM step WHERE step.species IS NOT NULL
)
SELECT species FROM step WHERE species IS NOT NULL LIMIT 200;

-- name: by_id
-- What has this id, and whether words inside of texts are found by an index.
SELECT EXISTS (SELECT FROM petstream.pet_search WHERE animal_id = $1::bigint) AS is_pet,
    EXISTS (SELECT FROM petstream.organization WHERE org_id = $1::bigint) AS is_organization,
    to_regclass('petstream.pet_search_words') IS NOT NULL AS is_indexed;

-- name: organizations_of_words
-- The organisations that fit each pattern ($1): by name, city, postal code, or a state whole (one
-- letter by that alone: nearly all have it); and under 0 those of a state ($2).
SELECT word.number::int AS number, array_agg(org.org_id) AS org_ids
FROM (
    SELECT org_id, replace(lower(concat_ws(' ', '', name, city, postal_code)), '&amp;', '&') AS words,
        lower(btrim(state)) AS state
    FROM petstream.organization OFFSET 0
) AS org
JOIN unnest($1::text[]) WITH ORDINALITY AS word (pattern, number)
    ON org.state = btrim(word.pattern, '% ')
    OR (length(word.pattern) > 4 AND org.words LIKE word.pattern)
GROUP BY word.number
UNION ALL
SELECT 0, array_agg(org_id) FROM petstream.organization WHERE upper(btrim(state)) = $2::text;

-- name: organizations_called
-- Organisations whose name or place has all the words ($1-$5); named so first.
SELECT org_id, name, city, upper(btrim(state)) AS state, listed, (
        SELECT count(*) FROM petstream.pet_search AS pet
        WHERE pet.listed AND pet.org_id = org.org_id
    ) AS pets
FROM (
    SELECT org_id, name, city, state, listed,
        replace(lower(concat_ws(' ', '', name, city, state, postal_code)), '&amp;', '&') AS words
    FROM petstream.organization WHERE name IS NOT NULL OFFSET 0
) AS org
WHERE words LIKE $1
    AND ($2::text IS NULL OR words LIKE $2)
    AND ($3::text IS NULL OR words LIKE $3)
    AND ($4::text IS NULL OR words LIKE $4)
    AND ($5::text IS NULL OR words LIKE $5)
ORDER BY listed DESC, lower(name) LIKE $1 DESC, lower(name), org_id LIMIT 7;

-- name: organizations_by_name
-- Listed organisations behind a name and an id ($1, $2), and how many pets each lists.
SELECT org_id, name, city, upper(btrim(state)) AS state, listed, sorted_by, (
        SELECT count(*) FROM petstream.pet_search AS pet
        WHERE pet.listed AND pet.org_id = org.org_id
    ) AS pets
FROM (
    SELECT org_id, name, city, state, listed, left(lower(coalesce(name, '')), 100) AS sorted_by
    FROM petstream.organization WHERE listed
        AND (left(lower(coalesce(name, '')), 100), org_id) > ($1::text, $2::bigint)
    ORDER BY 6, 1 LIMIT 101
) AS org ORDER BY sorted_by, org_id;
