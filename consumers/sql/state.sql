-- The current state of pets and organisations: those listed, and those that left.

-- name: upsert_pet
-- A pet as its newest event says; an equal event derives the row anew, unless it was forgotten.
-- A long text that is the same stays where it lies, out of the row: else it is written once more.
-- ($37: what the row holds is only stated again: it was changed when it was; $38: when it left, if
-- it did.)
INSERT INTO petstream.pet AS held (
    animal_id, org_id, status, name, species, breed, primary_breed, secondary_breed, mixed,
    sex, age, size, birthdate, color, altered, declawed, housetrained, special_needs,
    good_with_dogs, good_with_cats, good_with_kids, adoption_fee, postal_code,
    description_html, description_text, tracker_url, pet_url, updated_at, media_updated_at,
    description_rendered, attributes, first_seen_at, changed_at, export_id, sequence, digest,
    removed_at, listed
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36,
    $38::timestamptz, $38 IS NULL
)
ON CONFLICT (animal_id) DO UPDATE SET
    org_id = excluded.org_id, status = excluded.status, name = excluded.name, species =
    excluded.species, breed = excluded.breed, primary_breed = excluded.primary_breed,
    secondary_breed = excluded.secondary_breed, mixed = excluded.mixed, sex = excluded.sex,
    age = excluded.age, size = excluded.size, birthdate = excluded.birthdate, color =
    excluded.color, altered = excluded.altered, declawed = excluded.declawed, housetrained =
    excluded.housetrained, special_needs = excluded.special_needs, good_with_dogs =
    excluded.good_with_dogs, good_with_cats = excluded.good_with_cats, good_with_kids =
    excluded.good_with_kids, adoption_fee = excluded.adoption_fee, postal_code =
    excluded.postal_code, tracker_url = excluded.tracker_url, pet_url = excluded.pet_url,
    description_html = CASE WHEN held.description_html = excluded.description_html
        THEN held.description_html ELSE excluded.description_html END,
    description_text = CASE WHEN held.description_text = excluded.description_text
        THEN held.description_text ELSE excluded.description_text END,
    description_rendered = CASE WHEN held.description_rendered = excluded.description_rendered
        THEN held.description_rendered ELSE excluded.description_rendered END,
    updated_at = excluded.updated_at, media_updated_at = excluded.media_updated_at,
    attributes = excluded.attributes, first_seen_at = excluded.first_seen_at, changed_at = CASE
        WHEN $37 AND held.listed AND held.digest = excluded.digest THEN held.changed_at
        ELSE excluded.changed_at END,
    export_id = excluded.export_id, sequence = excluded.sequence, digest = excluded.digest,
    listed = excluded.listed, removed_at = excluded.removed_at
WHERE (excluded.sequence, excluded.digest) > (held.sequence, held.digest)
    OR (excluded.sequence, excluded.digest) = (held.sequence, held.digest)
    AND (held.listed OR held.first_seen_at IS NOT NULL);

-- name: upsert_organization
-- An organisation as its newest event says ($21, $22: as for a pet).
INSERT INTO petstream.organization AS held (
    org_id, name, address, city, state, postal_code, country, phone, email, url, facebook_url,
    type, species, about, attributes, first_seen_at, changed_at, export_id, sequence, digest,
    removed_at, listed
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $22::timestamptz, $22 IS NULL
)
ON CONFLICT (org_id) DO UPDATE SET
    name = excluded.name, address = excluded.address, city = excluded.city, state =
    excluded.state, postal_code = excluded.postal_code, country = excluded.country, phone =
    excluded.phone, email = excluded.email, url = excluded.url, facebook_url =
    excluded.facebook_url, type = excluded.type, species = excluded.species, about =
    excluded.about, attributes = excluded.attributes, first_seen_at = excluded.first_seen_at,
    changed_at = CASE
        WHEN $21 AND held.listed AND held.digest = excluded.digest THEN held.changed_at
        ELSE excluded.changed_at END,
    export_id = excluded.export_id, sequence = excluded.sequence, digest = excluded.digest,
    listed = excluded.listed, removed_at = excluded.removed_at
WHERE (excluded.sequence, excluded.digest) > (held.sequence, held.digest)
    OR (excluded.sequence, excluded.digest) = (held.sequence, held.digest)
    AND (held.listed OR held.first_seen_at IS NOT NULL);
