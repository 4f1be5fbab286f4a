-- Tables are ours; the views are what others may rely on.
-- A removed row stays, not listed, with its sequence: an older event can't bring it back.

CREATE TABLE petstream.pet (
    animal_id bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    listed boolean NOT NULL,
    removed_at timestamptz,
    export_id text NOT NULL,
    org_id bigint,
    status text,
    name text,
    species text,
    breed text,
    primary_breed text,
    secondary_breed text,
    mixed boolean,
    sex text,
    age text,
    size text,
    birthdate date,
    color text,
    altered boolean,
    declawed boolean,
    housetrained boolean,
    special_needs boolean,
    good_with_dogs boolean,
    good_with_cats boolean,
    good_with_kids boolean,
    adoption_fee text,
    postal_code text,
    description_html text,
    description_text text,
    description_rendered text,
    tracker_url text,
    pet_url text,
    updated_at timestamptz,
    media_updated_at timestamptz,
    attributes jsonb,
    first_seen_at timestamptz,
    changed_at timestamptz,
    CHECK (listed OR removed_at IS NOT NULL),
    CHECK (NOT listed OR (first_seen_at IS NOT NULL AND attributes IS NOT NULL))
);
-- Compressing texts of some thousand bytes costs more than the disk they take.
ALTER TABLE petstream.pet
    ALTER COLUMN description_html SET STORAGE EXTERNAL,
    ALTER COLUMN description_text SET STORAGE EXTERNAL,
    ALTER COLUMN description_rendered SET STORAGE EXTERNAL,
    ALTER COLUMN attributes SET STORAGE EXTERNAL;
CREATE INDEX pet_org_id ON petstream.pet (org_id) WHERE listed;

CREATE TABLE petstream.pet_event (
    animal_id bigint NOT NULL,
    sequence bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    op text NOT NULL CHECK (op IN ('added', 'updated', 'removed', 'relisted')),
    export_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    changed text[] NOT NULL,
    old jsonb NOT NULL,
    PRIMARY KEY (animal_id, sequence)
);
ALTER TABLE petstream.pet_event ALTER COLUMN old SET STORAGE EXTERNAL;

CREATE TABLE petstream.organization (
    org_id bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    listed boolean NOT NULL,
    removed_at timestamptz,
    export_id text NOT NULL,
    name text,
    address text,
    city text,
    state text,
    postal_code text,
    country text,
    phone text,
    email text,
    url text,
    facebook_url text,
    type text,
    species text,
    about text,
    attributes jsonb,
    first_seen_at timestamptz,
    changed_at timestamptz,
    CHECK (listed OR removed_at IS NOT NULL)
);

CREATE TABLE petstream.picture_set (
    animal_id bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    digest text COLLATE "C" NOT NULL
);
CREATE TABLE petstream.pet_picture (
    animal_id bigint NOT NULL,
    picture_key text NOT NULL,
    picture_id bigint,
    position int NOT NULL,
    updated_at timestamptz,
    original_url text,
    large_url text,
    small_url text,
    status text NOT NULL CHECK (status IN ('due', 'stored', 'failed', 'gone', 'off')),
    stored_as text,
    thumbnails jsonb,
    sha256 text,
    content_type text,
    bytes bigint,
    width int,
    height int,
    attempts int NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    fetched_at timestamptz,
    error text,
    PRIMARY KEY (animal_id, picture_key)
);
CREATE INDEX pet_picture_due ON petstream.pet_picture (next_try_at NULLS FIRST) WHERE status = 'due';

-- Few rows a day, so every event is kept and the view decides: no order of arrival can matter.
CREATE TABLE petstream.export_event (
    export_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('started', 'completed', 'failed')),
    at timestamptz NOT NULL,
    digest text COLLATE "C" NOT NULL,
    mode text NOT NULL,
    counts jsonb NOT NULL,
    PRIMARY KEY (export_id, state, at, digest)
);
CREATE TABLE petstream.plan_part (
    plan_id text NOT NULL,
    part int NOT NULL,
    at timestamptz NOT NULL,
    digest text COLLATE "C" NOT NULL,
    export_id text NOT NULL,
    entity text NOT NULL,
    reason text,
    removals int NOT NULL,
    PRIMARY KEY (plan_id, part)
);
CREATE TABLE petstream.plan_decision (
    plan_id text PRIMARY KEY,
    decision text COLLATE "C" NOT NULL
        CHECK (decision IN ('approved', 'rejected', 'superseded', 'expired')),
    decided_by text,
    reason text,
    at timestamptz NOT NULL
);
CREATE TABLE petstream.dead_letter (
    at_offset bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    origin text NOT NULL,
    reason text NOT NULL,
    error text NOT NULL
);
CREATE TABLE petstream.consumer_position (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
);

CREATE VIEW petstream.pets AS
SELECT animal_id, org_id, status, name, species, breed, primary_breed, secondary_breed, mixed, sex,
    age, size, birthdate, color, altered, declawed, housetrained, special_needs, good_with_dogs,
    good_with_cats, good_with_kids, adoption_fee, postal_code, description_html, description_text,
    description_rendered, tracker_url, pet_url, updated_at, media_updated_at, attributes,
    first_seen_at, changed_at, sequence, export_id
FROM petstream.pet WHERE listed;

CREATE VIEW petstream.organizations AS
SELECT org_id, name, address, city, state, postal_code, country, phone, email, url, facebook_url,
    type, species, about, attributes, sequence, export_id
FROM petstream.organization WHERE listed;

CREATE VIEW petstream.pet_pictures AS
SELECT picture.animal_id, picture_id, position, picture.updated_at, original_url, large_url,
    small_url, picture.status, stored_as, thumbnails, sha256, content_type, bytes, width, height,
    attempts, fetched_at, error
FROM petstream.pet_picture AS picture JOIN petstream.pet USING (animal_id) WHERE pet.listed;

CREATE VIEW petstream.removed_pets AS
SELECT animal_id, removed_at, export_id, sequence FROM petstream.pet WHERE NOT listed;

CREATE VIEW petstream.pet_history AS
SELECT animal_id, sequence, op, export_id, occurred_at, changed, old FROM petstream.pet_event;

-- Completed never goes back, and the first completion counts; else the latest word does.
CREATE VIEW petstream.exports AS
SELECT DISTINCT ON (export_id)
    export_id, mode, state,
    min(at) FILTER (WHERE state = 'started') OVER of_export AS started_at,
    min(at) FILTER (WHERE state = 'completed') OVER of_export AS completed_at,
    counts
FROM petstream.export_event
WINDOW of_export AS (PARTITION BY export_id)
ORDER BY export_id, (state = 'completed') DESC, CASE WHEN state = 'completed' THEN at END,
    at DESC, state, digest;

CREATE VIEW petstream.removal_plans AS
SELECT plan.plan_id, plan.export_id, coalesce(decision.decision, 'held') AS state, plan.reason,
    plan.removals, plan.created_at, decision.at AS decided_at, decision.reason AS decision_reason,
    plan.entity
FROM (
    SELECT plan_id, min(export_id) AS export_id, min(reason) AS reason, min(entity) AS entity,
        sum(removals)::int AS removals, min(at) AS created_at
    FROM petstream.plan_part
    GROUP BY plan_id
) AS plan
LEFT JOIN petstream.plan_decision AS decision USING (plan_id);

CREATE VIEW petstream.dead_letters AS
SELECT at_offset::text AS id, at, origin, reason, error FROM petstream.dead_letter;
