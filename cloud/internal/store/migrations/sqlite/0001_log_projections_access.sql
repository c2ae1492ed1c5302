-- +goose Up

-- The log: every fact of every hall, as the hall wrote it. Times are Unix milliseconds, UTC.
CREATE TABLE events (
    hall        TEXT   NOT NULL,
    epoch       TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    v           BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    hash        BLOB   NOT NULL, -- first 8 bytes of SHA-256(body)
    refused     TEXT   NOT NULL, -- code; empty for an accepted fact
    body        BLOB   NOT NULL,
    PRIMARY KEY (hall, epoch, seq)
);

-- How far each epoch of each hall has come. ordinal counts the epochs of a hall as they were first seen; the highest is in
-- force. Every fact up to contiguous is stored (or named in gaps) and projected.
CREATE TABLE cursors (
    hall        TEXT   NOT NULL,
    epoch       TEXT   NOT NULL,
    ordinal     BIGINT NOT NULL,
    contiguous  BIGINT NOT NULL,
    highest     BIGINT NOT NULL,
    refused     BIGINT NOT NULL,
    gone        BIGINT NOT NULL,
    stale       BIGINT NOT NULL, -- 1: the hall was told to open a new epoch
    skew_ms     BIGINT,          -- hall's clock minus ours at its last hello
    received_ms BIGINT NOT NULL, -- arrival of the latest fact, 0 for none
    created_ms  BIGINT NOT NULL,
    PRIMARY KEY (hall, epoch),
    UNIQUE (hall, ordinal)
);

-- Facts a hall no longer had when they were asked for.
CREATE TABLE gaps (
    hall     TEXT   NOT NULL,
    epoch    TEXT   NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq   BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (hall, epoch, from_seq)
);

-- The projections below hold nothing that is not in the log: rebuild empties and fills them.
CREATE TABLE tickets (
    hall         TEXT   NOT NULL,
    ticket       TEXT   NOT NULL,
    number       TEXT   NOT NULL,
    flow_no      TEXT   NOT NULL,
    business_day TEXT   NOT NULL,
    queue        TEXT   NOT NULL,
    class        TEXT   NOT NULL,
    channel      TEXT   NOT NULL,
    place        TEXT   NOT NULL,
    proof        TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    hall_window  TEXT   NOT NULL,
    taken_ms     BIGINT NOT NULL,
    called_ms    BIGINT,
    started_ms   BIGINT,
    ended_ms     BIGINT,
    calls        BIGINT NOT NULL,
    service_s    BIGINT,
    print        TEXT   NOT NULL,
    reprints     BIGINT NOT NULL,
    grade        TEXT   NOT NULL,
    PRIMARY KEY (hall, ticket)
);
CREATE INDEX tickets_by_day ON tickets (hall, business_day, taken_ms);
CREATE INDEX tickets_by_time ON tickets (hall, taken_ms);

CREATE TABLE calls (
    hall        TEXT   NOT NULL,
    epoch       TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    ticket      TEXT   NOT NULL,
    number      TEXT   NOT NULL,
    queue       TEXT   NOT NULL,
    hall_window TEXT   NOT NULL,
    how         TEXT   NOT NULL,
    times       BIGINT NOT NULL,
    rule        TEXT   NOT NULL,
    waited_s    BIGINT NOT NULL,
    PRIMARY KEY (hall, epoch, seq)
);

CREATE TABLE windows (
    hall        TEXT   NOT NULL,
    hall_window TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    staff       TEXT   NOT NULL,
    since_ms    BIGINT NOT NULL,
    ticket      TEXT   NOT NULL, -- empty for none
    PRIMARY KEY (hall, hall_window)
);

CREATE TABLE days (
    hall         TEXT   NOT NULL,
    business_day TEXT   NOT NULL,
    is_open      BIGINT NOT NULL,
    PRIMARY KEY (hall)
);

-- The last report and the last sign of life of each hall, so that a restart of the cloud does not forget them.
CREATE TABLE presence (
    hall    TEXT   NOT NULL PRIMARY KEY,
    seen_ms BIGINT NOT NULL,
    report  BLOB   NOT NULL
);

CREATE TABLE users (
    name       TEXT   NOT NULL PRIMARY KEY,
    full_name  TEXT   NOT NULL,
    password   TEXT   NOT NULL, -- argon2id in PHC form
    origin     TEXT   NOT NULL, -- config or cli
    created_ms BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash BLOB   NOT NULL PRIMARY KEY, -- SHA-256 of the cookie
    name       TEXT   NOT NULL,
    created_ms BIGINT NOT NULL,
    used_ms    BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

CREATE TABLE failures (
    name      TEXT   NOT NULL PRIMARY KEY,
    failed    BIGINT NOT NULL,
    last_ms   BIGINT NOT NULL,
    locked_ms BIGINT NOT NULL -- locked until then, 0 for not locked
);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    result  TEXT   NOT NULL,
    remote  TEXT   NOT NULL
);

-- +goose Down
DROP TABLE audit;
DROP TABLE failures;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE presence;
DROP TABLE days;
DROP TABLE windows;
DROP TABLE calls;
DROP TABLE tickets;
DROP TABLE gaps;
DROP TABLE cursors;
DROP TABLE events;
