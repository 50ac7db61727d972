-- What people are to be told: written in the transaction of what it tells of, so that neither is there without the other.
CREATE TABLE notices (
    id      INTEGER PRIMARY KEY,
    key     TEXT NOT NULL UNIQUE,          -- what it tells of: once
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    text    TEXT NOT NULL,
    detail  TEXT NOT NULL,
    planned INTEGER NOT NULL CHECK (planned IN (0, 1))
) STRICT;
CREATE INDEX notices_unplanned ON notices (id) WHERE planned = 0;
CREATE INDEX notices_by_date ON notices (at);

-- Each on its way to each receiver. A row is deleted once it has arrived, or was given up.
CREATE TABLE deliveries (
    notice   INTEGER NOT NULL REFERENCES notices (id),
    channel  TEXT NOT NULL,
    failures INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    PRIMARY KEY (notice, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_time ON deliveries (next_at);
