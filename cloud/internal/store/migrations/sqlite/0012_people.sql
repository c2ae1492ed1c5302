-- +goose Up

-- The certificate that a session was begun with, SHA-256 in hexadecimal; empty: none was shown.
ALTER TABLE sessions ADD COLUMN certificate TEXT NOT NULL DEFAULT '';

-- A clerk is one of halls that are named, never of all that lie in a region. Who was more widely so is a clerk no longer.
UPDATE users SET roles = trim(replace(',' || roles || ',', ',clerk,', ','), ',')
WHERE ',' || roles || ',' LIKE '%,clerk,%' AND scope <> ''
    AND length(replace(scope, ',', '')) <> 15 * (length(scope) - length(replace(scope, ',', '')) + 1);

-- Secrets of second factors once lay here as they were, and nothing was written over what was deleted. The table is made anew, so that
-- no page of it has remnants, and all free pages of the file are written over by being used once.
CREATE TABLE second_factors_anew (
    name    TEXT   NOT NULL PRIMARY KEY,
    secret  TEXT   NOT NULL, -- sealed; empty until it is confirmed
    pending TEXT   NOT NULL,
    step    BIGINT NOT NULL
);
INSERT INTO second_factors_anew (name, secret, pending, step) SELECT name, secret, pending, step FROM second_factors;
DROP TABLE second_factors;
ALTER TABLE second_factors_anew RENAME TO second_factors;
CREATE TABLE filler (page BLOB NOT NULL);
INSERT INTO filler (page)
    WITH RECURSIVE free (n) AS (SELECT freelist_count FROM pragma_freelist_count UNION ALL SELECT n - 1 FROM free WHERE n > 1)
    SELECT zeroblob(page_size - 100) FROM free, pragma_page_size; -- a row to each page
DROP TABLE filler;

-- +goose Down
ALTER TABLE sessions DROP COLUMN certificate;
