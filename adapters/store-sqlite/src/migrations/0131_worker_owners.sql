-- A miner's workers, also those that were taken out: a question of its history must not look at everybody's.
CREATE INDEX workers_by_owner ON workers (hotkey) WHERE removed = 0;
