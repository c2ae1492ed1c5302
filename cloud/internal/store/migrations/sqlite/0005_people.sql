-- +goose Up

-- A user had one role of two. He has a set of them now, and a scope: prefixes of hall codes, with commas between them; all for
-- every hall. What the two roles allowed stays allowed.
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN must_change BIGINT NOT NULL DEFAULT 0; -- 1: the password was set by somebody else
UPDATE users SET scope = 'all', roles = CASE role WHEN 'admin' THEN 'viewer,manager,maintainer,auditor,video,admin' ELSE 'viewer,video' END;
ALTER TABLE users DROP COLUMN role;

-- The second factor of a user: the secret of his codes, the one that he has been shown and not yet confirmed, and the step of time
-- of the last code that was taken, which is never taken again.
CREATE TABLE second_factors (
    name    TEXT   NOT NULL PRIMARY KEY,
    secret  TEXT   NOT NULL, -- empty until it is confirmed
    pending TEXT   NOT NULL,
    step    BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    name TEXT NOT NULL,
    hash BLOB NOT NULL, -- SHA-256 of 80 random bits
    PRIMARY KEY (name, hash)
);

-- +goose Down
DROP TABLE recovery_codes;
DROP TABLE second_factors;
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'viewer';
UPDATE users SET role = 'admin' WHERE ',' || roles || ',' LIKE '%,admin,%';
ALTER TABLE users DROP COLUMN must_change;
ALTER TABLE users DROP COLUMN scope;
ALTER TABLE users DROP COLUMN roles;
