-- +goose Up

-- Boxes whose certificate is over, and that ask for a new one with their own key. One row for each hall that waits.
CREATE TABLE renewals (
    hall        TEXT   NOT NULL PRIMARY KEY,
    digest      BLOB   NOT NULL, -- SM3 of what is asked: an approval is for that alone
    serial      TEXT   NOT NULL, -- of the certificate whose key has signed the question
    remote      TEXT   NOT NULL,
    asked_ms    BIGINT NOT NULL, -- the last time
    approved_ms BIGINT NOT NULL, -- 0: nobody has
    approved_by TEXT   NOT NULL
);

-- Halls whose identity two boxes seem to use. They are kept out until an operator releases them.
CREATE TABLE quarantines (
    hall     TEXT   NOT NULL PRIMARY KEY,
    since_ms BIGINT NOT NULL,
    reason   TEXT   NOT NULL
);

-- What an authority elsewhere is to sign: one row for each holder and purpose that waits. Certificates come back by their keys.
CREATE TABLE signing_orders (
    name       TEXT   NOT NULL, -- common name
    purpose    BIGINT NOT NULL,
    digest     BLOB   NOT NULL, -- SM3 of the keys and hosts
    asked_ms   BIGINT NOT NULL,
    body       BLOB   NOT NULL, -- JSON: requests, hosts, and the sealed key
    given      BLOB   NOT NULL, -- JSON: the certificates; empty: not yet
    PRIMARY KEY (name, purpose)
);

-- +goose Down
DROP TABLE signing_orders;
DROP TABLE quarantines;
DROP TABLE renewals;
