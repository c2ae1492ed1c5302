-- +goose Up

-- The certificates that the centre has issued, its roots among them. Only what is in them lies here, never a private key.
CREATE TABLE certificates (
    serial     TEXT   NOT NULL PRIMARY KEY, -- hexadecimal
    kind       TEXT   NOT NULL, -- what it is for
    holder     TEXT   NOT NULL, -- common name: of a hall its code
    der        BLOB   NOT NULL,
    from_ms    BIGINT NOT NULL,
    until_ms   BIGINT NOT NULL,
    issued_ms  BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL, -- 0: it is not
    reason     TEXT   NOT NULL  -- why it was revoked
);
CREATE INDEX certificates_by_holder ON certificates (holder, issued_ms);
CREATE INDEX certificates_by_time ON certificates (issued_ms);
CREATE INDEX certificates_revoked ON certificates (revoked_ms, until_ms);

-- The number of the list of revoked certificates; one row.
CREATE TABLE revocation_number (
    id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL
);

-- Codes with which boxes are enrolled, each once.
CREATE TABLE enrol_codes (
    hash       BLOB   NOT NULL PRIMARY KEY, -- SM3 of 80 random bits
    hall       TEXT   NOT NULL,
    serial     TEXT   NOT NULL, -- of the box it is good for, empty for any
    created_ms BIGINT NOT NULL,
    until_ms   BIGINT NOT NULL,
    uses       BIGINT NOT NULL,
    failed     BIGINT NOT NULL  -- attempts of another hall or box
);
CREATE INDEX enrol_codes_by_time ON enrol_codes (until_ms);

-- +goose Down
DROP TABLE enrol_codes;
DROP TABLE revocation_number;
DROP TABLE certificates;
