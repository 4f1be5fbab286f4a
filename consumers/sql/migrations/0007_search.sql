-- What search looks at: a narrow row of each pet, kept by a trigger, whoever writes the pet.

CREATE TABLE petstream.pet_search (
    animal_id bigint PRIMARY KEY,
    org_id bigint,
    listed boolean NOT NULL,
    removed_at timestamptz,
    species text COLLATE "C",
    status text COLLATE "C",
    name text COLLATE "C" NOT NULL,  -- as it is sorted; without one: last
    words text                       -- where words are looked for; null: forgotten, only its id is known
);

-- What its row is. No index may refuse one, however long the feed's texts are: so they are cut.
CREATE VIEW petstream.pet_searched AS
SELECT animal_id, org_id, listed, removed_at, left(species, 60) AS species,
    left(status, 60) AS status,
    coalesce(nullif(left(btrim(lower(replace(replace(replace(left(name, 200),
        '&amp;', '&'), '&#39;', ''''), '&quot;', '"'))), 100), ''), chr(1114111)) AS name,
    CASE WHEN listed OR first_seen_at IS NOT NULL THEN ' ' || lower(replace(replace(replace(
        concat_ws(' ', left(name, 200), left(species, 60), left(breed, 200), left(postal_code, 20)),
        '&amp;', '&'), '&#39;', ''''), '&quot;', '"')) END AS words
FROM petstream.pet;

CREATE FUNCTION petstream.index_pet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM petstream.pet_search WHERE animal_id = OLD.animal_id;
        RETURN NULL;
    END IF;
    INSERT INTO petstream.pet_search AS held
        (animal_id, org_id, listed, removed_at, species, status, name, words)
    SELECT animal_id, org_id, listed, removed_at, species, status, name, words
    FROM petstream.pet_searched WHERE animal_id = NEW.animal_id
    ON CONFLICT (animal_id) DO UPDATE SET
        org_id = excluded.org_id, listed = excluded.listed, removed_at = excluded.removed_at,
        species = excluded.species, status = excluded.status, name = excluded.name,
        words = excluded.words;
    RETURN NULL;
END
$$;

CREATE TRIGGER pet_is_new AFTER INSERT OR DELETE ON petstream.pet
FOR EACH ROW EXECUTE FUNCTION petstream.index_pet();
-- Of most updates nothing is looked for: for those nothing is called.
CREATE TRIGGER pet_is_another AFTER UPDATE ON petstream.pet FOR EACH ROW WHEN (
    OLD.listed <> NEW.listed OR OLD.removed_at IS DISTINCT FROM NEW.removed_at
    OR OLD.name IS DISTINCT FROM NEW.name OR OLD.breed IS DISTINCT FROM NEW.breed
    OR OLD.species IS DISTINCT FROM NEW.species OR OLD.status IS DISTINCT FROM NEW.status
    OR OLD.org_id IS DISTINCT FROM NEW.org_id OR OLD.postal_code IS DISTINCT FROM NEW.postal_code
    OR (OLD.first_seen_at IS NULL) <> (NEW.first_seen_at IS NULL)
) EXECUTE FUNCTION petstream.index_pet();

INSERT INTO petstream.pet_search
    (animal_id, org_id, listed, removed_at, species, status, name, words)
SELECT animal_id, org_id, listed, removed_at, species, status, name, words
FROM petstream.pet_searched;

CREATE INDEX pet_search_name ON petstream.pet_search (name, animal_id) WHERE listed;
CREATE INDEX pet_search_kind ON petstream.pet_search (species, status) WHERE listed;
CREATE INDEX pet_search_org ON petstream.pet_search (org_id) WHERE listed;
CREATE INDEX pet_search_left ON petstream.pet_search (removed_at) WHERE NOT listed AND words IS NOT NULL;
CREATE INDEX pet_picture_trouble ON petstream.pet_picture (status, animal_id)
    WHERE status IN ('failed', 'gone');

-- Words inside of texts are found by pg_trgm, where it may be had; else every row is read, which is
-- slower, and no less right. docs/console.md says how to add it later.
DO $$
DECLARE its_schema text;
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA petstream;
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'search goes without pg_trgm: %', SQLERRM;
    END;
    SELECT space.nspname INTO its_schema
    FROM pg_extension AS extension JOIN pg_namespace AS space ON space.oid = extension.extnamespace
    WHERE extension.extname = 'pg_trgm';
    IF its_schema IS NOT NULL THEN
        EXECUTE format('CREATE INDEX pet_search_words ON petstream.pet_search '
            'USING gin (words %I.gin_trgm_ops)', its_schema);
    END IF;
END
$$;

-- What is remembered of those that left, and the picture they had first (as long as there is one).
CREATE OR REPLACE VIEW petstream.removed_pets AS
SELECT animal_id, removed_at, export_id, sequence, name, species, breed, sex, org_id, status,
    postal_code, pet_url, (
        SELECT stored_as FROM petstream.pet_picture AS picture
        WHERE picture.animal_id = pet.animal_id AND picture.status = 'stored'
        ORDER BY position LIMIT 1
    ) AS picture
FROM petstream.pet WHERE NOT listed;
