-- +goose Up

-- What halls seal is stored as it came. Beside it: the key that it is sealed with, the link of the hall's chain behind it, and the order by
-- which its body was erased.
ALTER TABLE events ADD COLUMN data_key TEXT NOT NULL DEFAULT ''; -- hexadecimal; empty: in the clear
ALTER TABLE events ADD COLUMN link BLOB;                         -- NULL: outside of a chain
ALTER TABLE events ADD COLUMN erased TEXT NOT NULL DEFAULT '';   -- empty: it has its body
CREATE INDEX events_sealed ON events (hall, data_key) WHERE data_key <> '';
-- What halls wrote in the clear before they began to seal, for the end of its term.
CREATE INDEX events_in_clear ON events (received_ms)
    WHERE data_key = '' AND erased = '' AND kind NOT IN ('key.made', 'segment.begun', 'log.checkpointed', 'person.erased');

ALTER TABLE cursors ADD COLUMN sealed_from BIGINT NOT NULL DEFAULT 0; -- first fact that says with which key the others are sealed
ALTER TABLE cursors ADD COLUMN faults BIGINT NOT NULL DEFAULT 0;      -- found in the chain

-- The data keys of the halls, wrapped for the centre. One whose term is over stays as a name, so that it does not come back.
CREATE TABLE data_keys (
    hall         TEXT   NOT NULL,
    data_key     TEXT   NOT NULL,
    key_day      TEXT   NOT NULL, -- 2006-01-02, UTC
    wraps        BLOB   NOT NULL, -- JSON; empty when it was destroyed
    destroyed_ms BIGINT NOT NULL, -- 0: it is not
    PRIMARY KEY (hall, data_key)
);
CREATE INDEX data_keys_by_day ON data_keys (key_day) WHERE destroyed_ms = 0;

-- The facts that tell data keys: the wraps lie in them too, until the key is destroyed.
CREATE TABLE key_facts (
    hall     TEXT   NOT NULL,
    data_key TEXT   NOT NULL,
    epoch    TEXT   NOT NULL,
    seq      BIGINT NOT NULL,
    PRIMARY KEY (hall, data_key, epoch, seq)
);

-- Keys that stored facts are sealed with and nobody has told yet.
CREATE TABLE missing_keys (
    hall     TEXT   NOT NULL,
    data_key TEXT   NOT NULL,
    facts    BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (hall, data_key)
);

-- The segments of the halls' chains. state is where the chain is, with the key of the next entry, wrapped for the centre; it is empty while
-- the chain cannot go on. vouched is the last good checkpoint.
CREATE TABLE segments (
    hall      TEXT   NOT NULL,
    epoch     TEXT   NOT NULL,
    first_seq BIGINT NOT NULL,
    start     BLOB   NOT NULL,
    head      BLOB   NOT NULL, -- the last place, in the clear
    state     BLOB   NOT NULL, -- JSON
    vouched   BLOB   NOT NULL,
    PRIMARY KEY (hall, epoch, first_seq)
);

CREATE TABLE chain_faults (
    hall  TEXT   NOT NULL,
    epoch TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    kind  TEXT   NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (hall, epoch, seq, kind)
);

-- The keys of the vault that were ever used, by name.
CREATE TABLE vault_keys (
    id      TEXT   NOT NULL PRIMARY KEY,
    seen_ms BIGINT NOT NULL
);

-- Keys of the halls' indexes of people, wrapped for the centre.
CREATE TABLE index_keys (
    hall    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    wraps   BLOB   NOT NULL, -- JSON
    made_ms BIGINT NOT NULL,
    PRIMARY KEY (hall, id)
);

-- Orders to erase: by which bodies of facts went. A person's is delivered to the hall until its answer comes; then args is emptied.
CREATE TABLE erasures (
    id        TEXT   NOT NULL PRIMARY KEY,
    hall      TEXT   NOT NULL,
    kind      TEXT   NOT NULL, -- person or term
    actor     TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    args      BLOB   NOT NULL, -- what the hall is told: sealed for the centre, JSON
    made_ms   BIGINT NOT NULL,
    done_ms   BIGINT NOT NULL, -- 0: the hall has not answered
    facts     BIGINT NOT NULL  -- bodies that went at the centre
);
CREATE INDEX erasures_open ON erasures (hall) WHERE done_ms = 0;

-- Numbers of signed orders, by hall and type.
CREATE TABLE order_numbers (
    hall   TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (hall, kind)
);

-- Why a window rests says its fact, which may be opened.
ALTER TABLE windows DROP COLUMN reason;
ALTER TABLE windows ADD COLUMN said_epoch TEXT NOT NULL DEFAULT '';
ALTER TABLE windows ADD COLUMN said_seq BIGINT NOT NULL DEFAULT 0;

-- The chain of the audit: one row of what it is now, the head behind each line, and the signed checkpoints. What was there before is adopted
-- by its first segment.
ALTER TABLE audit ADD COLUMN number BIGINT;
ALTER TABLE audit ADD COLUMN link BLOB;
CREATE UNIQUE INDEX audit_by_number ON audit (number);
CREATE TABLE audit_chain (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    start BLOB   NOT NULL,
    state BLOB   NOT NULL,
    base  BLOB   NOT NULL  -- the place before the first line that is kept
);
CREATE TABLE audit_checkpoints (
    number     BIGINT NOT NULL PRIMARY KEY,
    checkpoint BLOB   NOT NULL
);

-- +goose Down
DROP TABLE audit_checkpoints;
DROP TABLE audit_chain;
DROP INDEX audit_by_number;
ALTER TABLE audit DROP COLUMN link;
ALTER TABLE audit DROP COLUMN number;
ALTER TABLE windows DROP COLUMN said_seq;
ALTER TABLE windows DROP COLUMN said_epoch;
ALTER TABLE windows ADD COLUMN reason TEXT NOT NULL DEFAULT '';
DROP TABLE order_numbers;
DROP TABLE erasures;
DROP TABLE index_keys;
DROP TABLE vault_keys;
DROP TABLE chain_faults;
DROP TABLE segments;
DROP TABLE missing_keys;
DROP TABLE key_facts;
DROP TABLE data_keys;
ALTER TABLE cursors DROP COLUMN faults;
ALTER TABLE cursors DROP COLUMN sealed_from;
DROP INDEX events_in_clear;
DROP INDEX events_sealed;
ALTER TABLE events DROP COLUMN erased;
ALTER TABLE events DROP COLUMN link;
ALTER TABLE events DROP COLUMN data_key;
