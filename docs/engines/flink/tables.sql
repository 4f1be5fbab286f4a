-- A: from petstream.pets.v1 itself, by the sequence rule. The op is a column: see README.md on ghost rows.
CREATE TABLE pet_events (
  animalId BIGINT,
  `sequence` BIGINT,
  op STRING,
  pet ROW<orgId BIGINT, name STRING, species STRING, status STRING, adoptionFee STRING>
) WITH (
  'connector' = 'kafka', 'topic' = '{prefix}pets.v1', {kafka}
  'scan.startup.mode' = 'earliest-offset', 'value.format' = 'json', 'value.json.ignore-parse-errors' = 'true'
);

CREATE TABLE sink_by_sequence (
  animal_id BIGINT, `sequence` BIGINT, op STRING, org_id BIGINT, name STRING, status STRING,
  PRIMARY KEY (animal_id) NOT ENFORCED
) WITH ('connector' = 'jdbc', 'table-name' = 'mart.flink_pets', {jdbc});

-- B: from the table topic, where the last record of a key is its row, or null.
CREATE TABLE pet_table (
  kafka_key STRING, animal_id BIGINT, `sequence` BIGINT, org_id BIGINT, name STRING, status STRING,
  updated_at STRING, attributes STRING,
  PRIMARY KEY (kafka_key) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka', 'topic' = '{prefix}pet-table.v1', {kafka}
  'key.format' = 'raw', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TABLE sink_by_upsert (
  animal_id BIGINT, `sequence` BIGINT, org_id BIGINT, name STRING, status STRING, updated_at STRING,
  attributes STRING, PRIMARY KEY (animal_id) NOT ENFORCED
) WITH ('connector' = 'jdbc', 'table-name' = 'mart.flink_table', {jdbc});

INSERT INTO sink_by_sequence
SELECT animalId, `sequence`, op, pet.orgId, pet.name, pet.status FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY animalId ORDER BY `sequence` DESC) AS rn FROM pet_events
) WHERE rn = 1;

INSERT INTO sink_by_upsert
SELECT CAST(kafka_key AS BIGINT), `sequence`, org_id, name, status, updated_at, attributes FROM pet_table;
