-- What fetching pictures needs: which version is held, how to ask for it again, and what to tell.

ALTER TABLE petstream.picture_set
    ADD COLUMN export_id text,
    ADD COLUMN left_at timestamptz;
ALTER TABLE petstream.pet_picture
    ADD COLUMN version timestamptz,          -- the picture's lastUpdated, else the pet's mediaLastUpdated
    ADD COLUMN misses int NOT NULL DEFAULT 0, -- how often the host said that it isn't there
    ADD COLUMN fetched_url text,             -- what the two validators belong to
    ADD COLUMN etag text,
    ADD COLUMN last_modified text,
    ADD COLUMN told bigint;                  -- the sequence of the last event about it
UPDATE petstream.pet_picture SET version = updated_at;

DROP INDEX petstream.pet_picture_due;
CREATE INDEX pet_picture_due ON petstream.pet_picture (next_try_at NULLS FIRST)
    WHERE status = 'due' OR (status = 'failed' AND next_try_at IS NOT NULL);
CREATE INDEX pet_picture_stored_as ON petstream.pet_picture (stored_as COLLATE "C")
    WHERE stored_as IS NOT NULL;
CREATE INDEX picture_set_left_at ON petstream.picture_set (left_at) WHERE left_at IS NOT NULL;

-- Events about pictures, written with the rows and published afterwards: none is lost in between.
CREATE TABLE petstream.picture_news (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    op text NOT NULL CHECK (op IN ('stored', 'gone')),
    animal_id bigint NOT NULL,
    picture_id bigint NOT NULL,
    sequence bigint NOT NULL,
    export_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    stored_as text,
    thumbnails jsonb,
    sha256 text,
    content_type text,
    bytes bigint,
    width int,
    height int
);
-- One row: when the store was last compared with the list.
CREATE TABLE petstream.picture_sweep (swept_at timestamptz NOT NULL);
INSERT INTO petstream.picture_sweep VALUES ('-infinity');
