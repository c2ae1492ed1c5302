-- +goose Up

-- Who a user is at the unified identity platform: its issuer, and what it calls him. Both are empty while he is only invited.
CREATE TABLE identities (
    name       TEXT   NOT NULL PRIMARY KEY, -- of the user
    issuer     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    invited_ms BIGINT NOT NULL -- may be linked until then
);
CREATE UNIQUE INDEX identities_by_subject ON identities (issuer, subject) WHERE subject <> '';

ALTER TABLE sessions ADD COLUMN came_by TEXT NOT NULL DEFAULT 'password';

-- +goose Down
ALTER TABLE sessions DROP COLUMN came_by;
DROP TABLE identities;
