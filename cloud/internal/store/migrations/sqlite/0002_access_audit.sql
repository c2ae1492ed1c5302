-- +goose Up

-- Failures were counted by name alone, so that anybody could keep a name locked out. They are forgotten: no lock lasts longer
-- than a quarter of an hour.
DROP TABLE failures;
CREATE TABLE failures (
    name      TEXT   NOT NULL, -- of a user, or the mark that stands for a name nobody has
    network   TEXT   NOT NULL, -- where the attempts came from
    failed    BIGINT NOT NULL, -- in a row
    last_ms   BIGINT NOT NULL,
    locked_ms BIGINT NOT NULL, -- locked until then, 0 for not locked
    PRIMARY KEY (name, network)
);
CREATE INDEX failures_by_network ON failures (network, last_ms);
CREATE INDEX failures_by_time ON failures (last_ms);

-- Where each user has signed in from.
CREATE TABLE networks (
    name    TEXT   NOT NULL,
    network TEXT   NOT NULL,
    used_ms BIGINT NOT NULL,
    PRIMARY KEY (name, network)
);

ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'viewer';
ALTER TABLE users ADD COLUMN disabled BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_by_name ON sessions (name, used_ms);

-- How the actor came in: password, token or command; empty for lines from before.
ALTER TABLE audit ADD COLUMN came_by TEXT NOT NULL DEFAULT '';
CREATE INDEX audit_by_time ON audit (at_ms);
CREATE INDEX audit_by_actor ON audit (actor, at_ms);
CREATE INDEX audit_by_action ON audit (action, at_ms);

-- What was typed as a user's name and is none may be a password.
UPDATE audit SET actor = '?' WHERE action = 'sign_in' AND result <> 'ok' AND actor NOT IN (SELECT name FROM users);

-- +goose Down
DROP INDEX audit_by_action;
DROP INDEX audit_by_actor;
DROP INDEX audit_by_time;
ALTER TABLE audit DROP COLUMN came_by;
DROP INDEX sessions_by_name;
ALTER TABLE users DROP COLUMN disabled;
ALTER TABLE users DROP COLUMN role;
DROP TABLE networks;
DROP TABLE failures;
CREATE TABLE failures (
    name      TEXT   NOT NULL PRIMARY KEY,
    failed    BIGINT NOT NULL,
    last_ms   BIGINT NOT NULL,
    locked_ms BIGINT NOT NULL -- locked until then, 0 for not locked
);
